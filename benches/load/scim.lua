-- The workloads, for wrk:
--   wrk -t2 -c16 -d5s -s benches/load/scim.lua URL -- WORKLOAD BASE_PATH TOKEN SEED_FILE STATE_FILE
--
-- SEED_FILE  lines "user ID USERNAME" and "group ID": what is in the store already
-- STATE_FILE where each thread left off, so that the next run neither repeats a name nor adds a member twice.
--            This file is written at the end, together with the result, as one line of JSON on stdout.

local threads = {}

function setup(thread)
  thread:set("thread_number", #threads)
  table.insert(threads, thread)
end

local users, names, groups = {}, {}, {}
local base, headers, build
-- Where this thread is in its walk through all pages; empty = at the beginning.
local cursor = ""

local function read_seed(path)
  for line in io.lines(path) do
    local kind, id, name = line:match("^(%a+) (%S+) ?(%S*)$")
    if kind == "user" then
      table.insert(users, id)
      table.insert(names, name)
    elseif kind == "group" then
      table.insert(groups, id)
    end
  end
end

-- Two threads never meet: each counts its own numbers, and `turn` is what this thread has done in all runs so far.
local function number() return turn * THREADS + thread_number end

local CREATE = [[{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],]]
  .. [["externalId":"ext-KEY","userName":"KEY@load.example.com","displayName":"Ada Augusta KEY","active":true,]]
  .. [["name":{"formatted":"Ms. Ada Augusta King-Lovelace KEY","familyName":"King-Lovelace","givenName":"Ada","middleName":"Augusta","honorificPrefix":"Ms."},]]
  .. [["title":"Principal Analyst","preferredLanguage":"en-GB","locale":"en-GB","timezone":"Europe/London","userType":"Employee",]]
  .. [["emails":[{"value":"KEY@load.example.com","type":"work","primary":true},{"value":"KEY@home.example.net","type":"home"}],]]
  .. [["phoneNumbers":[{"value":"+44 20 7946 0123","type":"work","primary":true},{"value":"+44 7700 900123","type":"mobile"}],]]
  .. [["addresses":[{"type":"work","streetAddress":"12 St James's Square, Second Floor","locality":"London","region":"Greater London","postalCode":"SW1Y 4JH","country":"GB","primary":true}],]]
  .. [["roles":[{"value":"analyst","display":"Analyst","type":"work","primary":true}],]]
  .. [["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"KEY","costCenter":"CC-4711","organization":"Analytical Engines plc","division":"Computation","department":"Numerical Research"}}]]

local function patch(path, operation)
  local body = '{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[' .. operation .. "]}"
  return wrk.format("PATCH", base .. path, headers, body)
end

local workloads = {
  create = function()
    local key = string.format("load-%s-%08d", run_tag, number())
    return wrk.format("POST", base .. "/Users", headers, (CREATE:gsub("KEY", key)))
  end,

  get = function() return wrk.format("GET", base .. "/Users/" .. users[math.random(#users)], headers) end,

  filter = function()
    local name = names[math.random(#names)]:gsub("@", "%%40")
    return wrk.format("GET", base .. "/Users?filter=userName%20eq%20%22" .. name .. "%22", headers)
  end,

  -- Over all users in turn, false on the first pass, true on the second: every request changes something.
  patch = function()
    local position = number()
    local active = math.floor(position / #users) % 2 == 1
    return patch("/Users/" .. users[position % #users + 1], '{"op":"replace","path":"active","value":' .. tostring(active) .. "}")
  end,

  page = function() return wrk.format("GET", base .. "/Users?startIndex=1&count=100", headers) end,

  -- A walk through all pages by cursor, begun again at the end. Connections of one thread share the walk.
  keyset = function() return wrk.format("GET", base .. "/Users?count=100&cursor=" .. cursor, headers) end,

  -- A burst on one group that keeps its size: 64 users in, the same 64 out, then the next.
  burst = function()
    local block, within = math.floor(turn / 128), turn % 128
    local user = users[((block * 64 + within % 64) * THREADS + thread_number) % #users + 1]
    if within < 64 then
      return patch("/Groups/" .. groups[1], '{"op":"add","path":"members","value":[{"value":"' .. user .. '"}]}')
    end
    return patch("/Groups/" .. groups[1], '{"op":"remove","path":"members[value eq \\"' .. user .. '\\"]"}')
  end,

  -- Every user into the first group, then into the second…: a burst on one group, and no member twice.
  member = function()
    local position = number()
    local group = groups[math.floor(position / #users) % #groups + 1]
    return patch("/Groups/" .. group, '{"op":"add","path":"members","value":[{"value":"' .. users[position % #users + 1] .. '"}]}')
  end,
}

function init(arguments)
  local workload, path, token, seed, state = unpack(arguments)
  base = path
  headers = { ["Content-Type"] = "application/scim+json", ["Authorization"] = "Bearer " .. token }
  build = assert(workloads[workload], "no workload is called " .. workload)
  read_seed(seed)
  -- wrk asks once with an empty state while it starts; `done` reads these of every thread.
  THREADS = tonumber(os.getenv("LOAD_THREADS") or "2")
  run_tag = os.getenv("LOAD_TAG") or "run"
  -- wrk hands bodies to a script only if it asks for them, which costs.
  if workload == "keyset" then
    response = function(_, _, body) cursor = body:match('"nextCursor":"([^"]+)"') or "" end
  end
  state_file, turn = state, 0
  local file = io.open(state)
  if file then
    turn = tonumber(file:read("*a")) or 0
    file:close()
  end
  math.randomseed(turn * THREADS + thread_number + 1)
end

function request()
  local made = build()
  turn = turn + 1
  return made
end

function done(summary, latency)
  local furthest = 0
  for _, thread in ipairs(threads) do furthest = math.max(furthest, thread:get("turn")) end
  local file = assert(io.open(threads[1]:get("state_file"), "w"))
  file:write(string.format("%d", furthest))
  file:close()
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"microseconds":%d,"bad_statuses":%d,"socket_errors":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
