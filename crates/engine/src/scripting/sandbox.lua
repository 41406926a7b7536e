-- The world that scripts see. Run once for each interpreter, with the host's functions; returns what the host calls.
--
-- Stock Lua has no read-only tables. What scripts must not change is behind a proxy: an empty table that finds everything by
-- __index and refuses every write. The functions that look past metatables are replaced by ones that know the proxies.
local host = ...

local error, type, tostring, tonumber, select, unpack = error, type, tostring, tonumber, select, unpack
local rawget, rawset, rawequal, next, pairs, ipairs = rawget, rawset, rawequal, next, pairs, ipairs
local getmetatable, setmetatable, getfenv, setfenv = getmetatable, setmetatable, getfenv, setfenv
local raw_pcall, raw_xpcall, raw_loadstring = pcall, xpcall, loadstring
local collect, byte, find, concat, floor = collectgarbage, string.byte, string.find, table.concat, math.floor
local raw_resume = coroutine.resume
local stock = getfenv(0)
local is_aborted, where, host_raised = host.is_aborted, host.where, host.raised

local READ_ONLY = "Attempt to modify a readonly table"

-- Proxy -> what it stands for.
local behind = {}

local function refuse()
  error(READ_ONLY, 2)
end

local function protect(real, shown_metatable)
  local proxy = {}
  behind[proxy] = real
  local metatable = { __index = real, __newindex = refuse, __metatable = shown_metatable or false }
  setmetatable(proxy, metatable)
  return proxy, metatable
end

local function copy(from, names)
  local to = {}
  for name in names:gmatch("%S+") do
    to[name] = from[name]
  end
  return to
end

-- Functions that ask whether they were given a proxy ---------------------------------------------------------------------

-- As C's functions word it, at the place of who called the function that calls this.
local function wrong(index, name, expected, got)
  error("bad argument #" .. index .. " to '" .. name .. "' (" .. expected .. " expected, got " .. type(got) .. ")", 3)
end

local function guarded_rawset(t, k, v)
  if type(t) ~= "table" then wrong(1, "rawset", "table", t) end
  if behind[t] then error(READ_ONLY, 0) end
  local same = rawset(t, k, v)
  return same
end

local function guarded_setmetatable(t, m)
  if type(t) ~= "table" then wrong(1, "setmetatable", "table", t) end
  if behind[t] then error(READ_ONLY, 0) end
  local same = setmetatable(t, m)
  return same
end

local function guarded_rawget(t, k)
  if type(t) ~= "table" then wrong(1, "rawget", "table", t) end
  local value = rawget(behind[t] or t, k)
  return value
end

local function guarded_next(t, k)
  if type(t) ~= "table" then wrong(1, "next", "table", t) end
  local key, value = next(behind[t] or t, k)
  return key, value
end

local function guarded_pairs(t)
  if type(t) ~= "table" then wrong(1, "pairs", "table", t) end
  if behind[t] then return guarded_next, t, nil end
  local iterate, state, first = pairs(t)
  return iterate, state, first
end

-- Stock Lua adds up the number of results in an int, which a compiler may take as never overflowing.
local RESULTS_MAX = 7999

local function guarded_unpack(t, i, j)
  if type(t) ~= "table" then wrong(1, "unpack", "table", t) end
  -- Its arguments count as well: without bounds there is room for two results more.
  if i == nil and j == nil and #t <= RESULTS_MAX then return unpack(t) end
  local from, to = tonumber(i) or 1, tonumber(j) or #t
  if to - from >= RESULTS_MAX then error("too many results to unpack", 2) end
  return unpack(t, from, to)
end

-- The matcher calls itself once for each item of a pattern, on the thread's own stack.
local PATTERN_BYTES_MAX = 4000

local function with_pattern(f)
  return function(text, pattern, ...)
    if type(pattern) == "string" and #pattern > PATTERN_BYTES_MAX then error("pattern too complex", 2) end
    return f(text, pattern, ...)
  end
end

-- Errors -----------------------------------------------------------------------------------------------------------------

-- What the host's functions raise is a userdata that stands for a table, or for a text.
local function raised(failure)
  if type(failure) == "userdata" then return host_raised(failure) end
  return failure
end

-- Redis's own functions raise tables; scripts that catch them see the text.
local function finish(ok, ...)
  if ok then return true, ... end
  if is_aborted() then error("aborted", 0) end
  local failure = raised((...))
  if type(failure) == "table" then
    local text = failure.err
    if type(text) == "string" or type(text) == "number" then return false, text end
  end
  return false, failure
end

local function guarded_pcall(...)
  return finish(raw_pcall(...))
end

local function rethrow(ok, ...)
  if ok then return true, ... end
  if is_aborted() then error("aborted", 0) end
  return false, raised((...))
end

local function guarded_xpcall(f, ...)
  if select("#", ...) == 0 then error("bad argument #2 to 'xpcall' (value expected)", 2) end
  local handler = ...
  local own = handler
  if type(handler) == "function" then
    own = function(failure) return handler(raised(failure)) end
  end
  return rethrow(raw_xpcall(f, own))
end

local function guarded_resume(...)
  return rethrow(raw_resume(...))
end

-- Names where an uncaught error was raised.
local function handler(failure)
  if is_aborted() then return failure end
  local source, line = where()
  failure = raised(failure)
  if type(failure) ~= "table" then failure = { err = "ERR " .. tostring(failure) } end
  if source then
    failure.source = source
    failure.line = line
  end
  return failure
end

-- The libraries ----------------------------------------------------------------------------------------------------------

local base = copy(stock, [[assert error gcinfo ipairs rawequal select tonumber tostring type _VERSION]])
base.unpack = guarded_unpack
base.pcall, base.xpcall = guarded_pcall, guarded_xpcall
base.rawget, base.rawset, base.next, base.pairs = guarded_rawget, guarded_rawset, guarded_next, guarded_pairs
base.setmetatable, base.getmetatable = guarded_setmetatable, getmetatable

function base.collectgarbage(what, value)
  -- The collector serves all scripts: none of them stops or tunes it.
  if what == "stop" or what == "restart" or what == "setpause" or what == "setstepmul" then return 0 end
  local answer = collect(what or "collect", value)
  return answer
end

local strings = copy(string, [[byte char find format gfind gmatch gsub len lower match rep reverse sub upper]])
for _, name in ipairs({ "find", "gfind", "gmatch", "gsub", "match" }) do
  strings[name] = with_pattern(strings[name])
end
-- The hook counts instructions, and this is one, however long it takes.
local rep, is_over = strings.rep, host.is_over
local LONG_BYTES = 65536
function strings.rep(text, count)
  if type(text) ~= "string" and type(text) ~= "number" then wrong(1, "rep", "string", text) end
  if type(tonumber(count)) ~= "number" then wrong(2, "rep", "number", count) end
  local is_long = type(text) == "string" and type(count) == "number" and #text * count > LONG_BYTES
  if is_long and is_over() then error("aborted", 0) end
  return rep(text, count)
end
-- What no loader takes: there is no binary code, neither out nor in.
function strings.dump() return "\27" end
base.string = protect(strings)
base.table = protect(copy(table, [[concat foreach foreachi getn insert maxn remove setn sort]]))

local math_copy = copy(math, [[abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max min mod
  modf pi pow rad sin sinh sqrt tan tanh]])
local random = host.random
function math_copy.random(...)
  local count = select("#", ...)
  local r = random()
  if count == 0 then return r end
  local low, high = ...
  low = tonumber(low)
  if not low then error("bad argument #1 to 'random' (number expected)", 2) end
  if count == 1 then
    high = floor(low)
    if high < 1 then error("bad argument #1 to 'random' (interval is empty)", 2) end
    return floor(r * high) + 1
  elseif count == 2 then
    high = tonumber(high)
    if not high then error("bad argument #2 to 'random' (number expected)", 2) end
    low, high = floor(low), floor(high)
    if low > high then error("bad argument #2 to 'random' (interval is empty)", 2) end
    return floor(r * (high - low + 1)) + low
  end
  error("wrong number of arguments", 2)
end
function math_copy.randomseed(seed)
  seed = tonumber(seed)
  if not seed then error("bad argument #1 to 'randomseed' (number expected)", 2) end
  host.seed(seed)
end
base.math = protect(math_copy)

local coroutines = copy(coroutine, [[create running status wrap yield]])
coroutines.resume = guarded_resume
base.coroutine = protect(coroutines)

for name, functions in pairs(host.libraries) do
  local library = {}
  for key, value in pairs(functions) do
    library[key] = value
  end
  base[name] = protect(library)
end
if base.cjson then
  -- Settings are the interpreter's: another instance is the same one.
  local cjson = base.cjson
  behind[cjson].new = function() return cjson end
end

-- Strings find their methods by a metatable that scripts may look at, not change.
local of_strings = getmetatable("")
of_strings.__index = behind[base.string]
of_strings.__metatable = protect({ __index = base.string })

-- redis.* ----------------------------------------------------------------------------------------------------------------

local function error_reply(...)
  local text = ...
  if select("#", ...) ~= 1 or type(text) ~= "string" then
    return { err = "ERR wrong number or type of arguments" }
  end
  local code, rest = text:match("^%-(%S*) (.*)$")
  if not code then
    if text:sub(1, 1) == "-" then
      code, rest = "ERR", text:sub(2)
    else
      code, rest = text:match("^([^ ]*) (.*)$")
      if not code then code, rest = "ERR", text end
    end
  end
  return { err = code .. " " .. rest:gsub("^[\r\n]+", ""):gsub("[\r\n]+$", "") }
end

local function status_reply(...)
  local text = ...
  if select("#", ...) ~= 1 or type(text) ~= "string" then
    return { err = "ERR wrong number or type of arguments" }
  end
  return { ok = text }
end

local redis = host.redis
redis.error_reply, redis.status_reply = error_reply, status_reply
redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING = 0, 1, 2, 3
redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_ALL = 0, 1, 2, 2, 3

-- The two worlds: of EVAL, and of functions ------------------------------------------------------------------------------

local current

local function world(redis_api)
  local globals = {}
  for name, value in pairs(base) do
    globals[name] = value
  end
  globals.redis = protect(redis_api)
  local function missing(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
  end
  setmetatable(globals, { __index = missing })
  local proxy, metatable = protect(globals, (protect({ __index = missing })))
  globals._G = proxy
  return proxy, globals, metatable, missing
end

local function extended(with)
  local api = {}
  for name, value in pairs(redis) do
    api[name] = value
  end
  for name, value in pairs(with) do
    api[name] = value
  end
  return api
end

local eval_world, eval_globals
local function_world, function_globals, function_metatable, missing

local function own_loadstring(code, name)
  if type(code) == "number" then code = tostring(code) end
  if type(code) ~= "string" then
    error("bad argument #1 to 'loadstring' (string expected, got " .. type(code) .. ")", 2)
  end
  if byte(code, 1) == 27 then return nil, "attempt to load a binary chunk" end
  -- The parser keeps the chunk's name from the collector only if it is a string that somebody else holds: not one that ends at a NUL.
  if type(name) ~= "string" then name = code end
  if find(name, "%z") then name = "=(loadstring)" end
  local f, failure = raw_loadstring(code, name)
  if f then setfenv(f, current) end
  return f, failure
end
base.loadstring = own_loadstring

function base.load(read, name)
  local parts = {}
  while true do
    local part = read()
    if part == nil or part == "" then break end
    if type(part) ~= "string" then return nil, "reader function must return a string" end
    parts[#parts + 1] = part
  end
  return own_loadstring(concat(parts), name or "=(load)")
end

-- What `lua-enable-deprecated-api` brings back. An environment is a script's own world or a table that it made: that of the host's and
-- of this file's functions is shown to nobody and can't be exchanged.
if host.deprecated then
  local raw_newproxy = newproxy

  function base.getfenv(f)
    if f == nil then f = 1 end
    if f == 0 then return current end
    if type(f) == "number" then f = f + 1 end
    local env = getfenv(f)
    return env == stock and current or env
  end

  function base.setfenv(f, env)
    if type(f) == "number" and f ~= 0 then f = f + 1 end
    if f == 0 or getfenv(f) == stock then error("'setfenv' cannot change environment of given object", 2) end
    local same = setfenv(f, env)
    return same
  end

  -- A userdata's metatable can be anything but its finalizer: that would run inside some other script. So scripts get a table
  -- whose fields are asked at each event.
  local events = [[__add __sub __mul __div __mod __pow __unm __concat __len __eq __lt __le __call __tostring]]
  function base.newproxy(with)
    local proxy = raw_newproxy(with)
    if with ~= true then return proxy end
    local real, shown = getmetatable(proxy), {}
    real.__metatable = shown
    for event in events:gmatch("%S+") do
      real[event] = function(...)
        local own = shown[event]
        if not own then error("attempt to use a userdata value without " .. event, 2) end
        return own(...)
      end
    end
    function real.__index(value, key)
      local own = shown.__index
      if own == nil then error("attempt to index a userdata value", 2) end
      if type(own) == "function" then return own(value, key) end
      return own[key]
    end
    function real.__newindex(value, key, new)
      local own = shown.__newindex
      if own == nil then error("attempt to index a userdata value", 2) end
      if type(own) == "function" then return own(value, key, new) end
      own[key] = new
    end
    return proxy
  end
end

eval_world, eval_globals = world(extended({
  breakpoint = function() return false end,
  debug = function() end,
  replicate_commands = function() return true end,
}))
function_world, function_globals, function_metatable, missing = world(redis)

local loading_api = copy(redis, [[log LOG_DEBUG LOG_VERBOSE LOG_NOTICE LOG_WARNING REDIS_VERSION REDIS_VERSION_NUM]])
loading_api.register_function = host.register
setmetatable(loading_api, { __index = missing })
local loading_globals = setmetatable({ redis = protect(loading_api) }, { __index = missing })

-- Nothing of the stock world is needed from here on, and whatever might get hold of it finds nothing.
for name in pairs(copy(stock, [[dofile loadfile load loadstring module require newproxy print debug io os package
  setfenv getfenv rawset setmetatable collectgarbage]])) do
  stock[name] = nil
end
string.dump = nil

-- What the host calls ----------------------------------------------------------------------------------------------------

local function run_eval(f, keys, args)
  current = eval_world
  if host.deprecated then setfenv(f, eval_world) end
  eval_globals.KEYS = keys
  eval_globals.ARGV = args
  return raw_xpcall(f, handler)
end

local function run_function(f, keys, args)
  current = function_world
  return raw_xpcall(function() return f(keys, args) end, handler)
end

local function run_loading(f)
  current = function_world
  -- A library that is being loaded may register functions, and nothing else.
  function_metatable.__index = loading_globals
  local ok, failure = raw_xpcall(f, handler)
  function_metatable.__index = function_globals
  return ok, failure
end

-- table.insert writes past metatables; what it left in proxies is taken out now and then.
local function tidy()
  for proxy in pairs(behind) do
    for key in next, proxy do
      rawset(proxy, key, nil)
    end
  end
end

local function bind(f, to)
  -- The names of the host's chunks, held for the parser's sake: see own_loadstring.
  local _, _, _ = "@user_script", "@user_function", "=(loadstring)"
  return setfenv(f, to == "eval" and eval_world or function_world)
end

return { eval = run_eval, call = run_function, load = run_loading, tidy = tidy, bind = bind }
