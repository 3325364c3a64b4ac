//! Bindings to libxml2 and libxmlsec1: what `src/verify/xmlsec/ffi.rs` calls, and nothing else of them. The layout of their
//! structs depends on what libxmlsec1 was built with, so it is read from the headers that are there.

use std::path::PathBuf;

const HEADERS: &str = "
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/valid.h>
#include <xmlsec/xmlsec.h>
#include <xmlsec/errors.h>
#include <xmlsec/keys.h>
#include <xmlsec/transforms.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/openssl/crypto.h>
#include <xmlsec/openssl/evp.h>
";

const FUNCTIONS: [&str; 32] = [
    "xmlAddID",
    "xmlFreeDoc",
    "xmlDocGetRootElement",
    "xmlInitParser",
    "xmlReadMemory",
    "xmlValidateNCName",
    "xmlSecBufferGetData",
    "xmlSecBufferGetSize",
    "xmlSecCheckVersionExt",
    "xmlSecDSigCtxCreate",
    "xmlSecDSigCtxDestroy",
    "xmlSecDSigCtxEnableReferenceTransform",
    "xmlSecDSigCtxEnableSignatureTransform",
    "xmlSecDSigCtxVerify",
    "xmlSecDSigReferenceCtxGetPreDigestBuffer",
    "xmlSecErrorsDefaultCallbackEnableOutput",
    "xmlSecInit",
    "xmlSecKeyCreate",
    "xmlSecKeyDataDestroy",
    "xmlSecKeyDestroy",
    "xmlSecKeyDuplicate",
    "xmlSecKeySetValue",
    "xmlSecOpenSSLEvpKeyAdopt",
    "xmlSecOpenSSLInit",
    "xmlSecOpenSSLTransformEcdsaSha(256|384|512)GetKlass",
    "xmlSecOpenSSLTransformRsaSha(256|384|512)GetKlass",
    "xmlSecOpenSSLTransformSha(256|384|512)GetKlass",
    "xmlSecPtrListGetItem",
    "xmlSecPtrListGetSize",
    "xmlSecTransformEnvelopedGetKlass",
    "xmlSecTransformExclC14NGetKlass",
    "xmlSecTransformIdsGet",
];

fn main() {
    let library = pkg_config::Config::new().atleast_version("1.2.37").probe("xmlsec1-openssl");
    let library = library.expect("libxmlsec1 with OpenSSL, and its headers (Debian: libxmlsec1-dev)");
    let folders = library.include_paths.iter().map(|path| format!("-I{}", path.display()));
    let defines = library.defines.iter().map(|(name, value)| match value {
        Some(value) => format!("-D{name}={value}"),
        None => format!("-D{name}"),
    });
    let mut bindings = bindgen::builder()
        .header_contents("xmlsec.h", HEADERS)
        .clang_args(folders.chain(defines))
        .allowlist_type("xmlParserOption|xmlElementType|xmlSecKey|xmlSecDSigCtx|xmlSecDSigReferenceCtx")
        .allowlist_var("XMLSEC_VERSION_.*|XMLSEC_DSIG_FLAGS_.*|xmlSecTransformUriTypeSameDocument")
        // OpenSSL's, of which only the address of one is passed on.
        .opaque_type("evp_pkey_st")
        .generate_comments(false);
    for function in FUNCTIONS {
        bindings = bindings.allowlist_function(function);
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    let bindings = bindings.generate().expect("bindings to libxmlsec1 (Debian: clang, libclang-dev)");
    bindings.write_to_file(out.join("xmlsec.rs")).expect("a file in OUT_DIR");
}
