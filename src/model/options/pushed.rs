//! Options of the SCIM side.

use super::{Form, LOGINS, OptionSpec, WITH_SCIM, mapping_name};
use crate::model::connection::{ConnectionKind, GroupPatchResponse, Options, ScimUserIdAttribute};

const PUSHED: &[ConnectionKind] = &[ConnectionKind::Scim];

pub(super) fn pushed() -> Vec<OptionSpec> {
    vec![
        option!("scim_mapping" LOGINS, Text, "the name of a mapping", "The mapping of what is pushed to the connection over SCIM.",
            (|o, t| mapping_name(t).map(|name| o.scim_mapping = name), |o| Some(o.scim_mapping.clone()))),
        option!("scim_user_id_attribute" WITH_SCIM, Text, "externalId or userName",
            "Which SCIM attribute names a person for good: the last part of the user_id and what a re-post is recognised by.",
            words!(scim_user_id_attribute: "externalId" => ScimUserIdAttribute::ExternalId,
                "userName" => ScimUserIdAttribute::UserName)),
        option!("strict" PUSHED, Boolean, "true or false",
            "Hold the client to the letter of the RFCs; false accepts what real identity providers send.",
            words!(strict: "true" => true, "false" => false)),
        option!("put_groups_without_members" PUSHED, Text, "clear or keep",
            "What a PUT of a group without a members attribute does to its members.",
            words!(put_groups_without_members_keep: "clear" => false, "keep" => true)),
        option!("group_patch_response" PUSHED, Text, "auto, 200 or 204",
            "How a PATCH of a group is answered; auto: with the group up to 200 members, else 204.",
            words!(group_patch_response: "auto" => GroupPatchResponse::Auto, "200" => GroupPatchResponse::Ok,
                "204" => GroupPatchResponse::NoContent)),
        option!("unknown_members" PUSHED, Text, "refuse or ignore",
            "What happens to a member whose id is nobody's on this connection: refuse the request with 400, or leave it out.",
            words!(ignore_unknown_members: "refuse" => false, "ignore" => true)),
        option!("require_if_match" PUSHED, Boolean, "true or false",
            "Whether PUT, PATCH and DELETE of one resource need an If-Match header (428 without), so that nobody overwrites unseen.",
            words!(require_if_match: "true" => true, "false" => false)),
    ]
}
