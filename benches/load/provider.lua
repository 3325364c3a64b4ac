-- The requests of applications, for wrk:
--   wrk -t2 -c16 -d2s -s benches/load/provider.lua URL -- WORKLOAD PATH AUTHORIZATION FILE
--
-- userinfo  FILE holds access tokens (of the floor: ids, which stand in the path), each run takes one at random
-- code      FILE holds codes, each is used once; a thread without any stops
-- refresh   FILE holds refresh tokens; what is answered is used next
-- floor     a POST that the floor answers by a row and a signature
-- The result is one line of JSON on stdout.

local threads = {}

function setup(thread)
  thread:set("thread_number", #threads)
  table.insert(threads, thread)
end

local FORM = "application/x-www-form-urlencoded"
local CALLBACK = "redirect_uri=https%3A%2F%2Fapp.example%2Fcb"
local VERIFIER = "code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
local lines, first, last = {}, 1, 0
local workload, path, headers

function init(args)
  workload, path = args[1], args[2]
  bad_statuses, ended_early = 0, 0
  math.randomseed(os.time() + thread_number)
  local number = 0
  for line in io.lines(args[4]) do
    number = number + 1
    if workload == "userinfo" or number % 2 == thread_number then
      last = last + 1
      lines[last] = line
    end
  end
  headers = { ["Authorization"] = args[3], ["Content-Type"] = FORM }
end

local function next_line()
  local line = lines[first]
  lines[first] = nil
  first = first + 1
  return line
end

function request()
  if workload == "userinfo" then
    local line = lines[math.random(last)]
    if path:find("%%s") then return wrk.format("GET", path:format(line)) end
    return wrk.format("GET", path, { ["Authorization"] = "Bearer " .. line })
  end
  if workload == "floor" then
    return wrk.format("POST", path, headers, "grant_type=authorization_code&code=x&" .. CALLBACK .. "&" .. VERIFIER)
  end
  local line = next_line()
  if line == nil then
    ended_early = 1
    wrk.thread:stop()
    return wrk.format("GET", "/healthz")
  end
  if workload == "code" then
    return wrk.format("POST", path, headers, "grant_type=authorization_code&code=" .. line .. "&" .. CALLBACK .. "&" .. VERIFIER)
  end
  return wrk.format("POST", path, headers, "grant_type=refresh_token&refresh_token=" .. line)
end

function response(status, _, body)
  if status > 399 then bad_statuses = bad_statuses + 1 end
  if workload == "refresh" then
    local token = body:match('"refresh_token":"([^"]+)"')
    if token then
      last = last + 1
      lines[last] = token
    else
      bad_statuses = bad_statuses + 1
    end
  end
end

function done(summary, latency)
  local bad, early = 0, 0
  for _, thread in ipairs(threads) do
    bad = bad + thread:get("bad_statuses")
    early = early + thread:get("ended_early")
  end
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '\n{"requests":%d,"microseconds":%d,"bad_statuses":%d,"socket_errors":%d,"ended_early":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration, bad, broken, early, latency:percentile(50), latency:percentile(99)))
end
