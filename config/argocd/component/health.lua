-- Health of an AdminUser or APIKey in Argo CD. It says what kstatus says, so that Argo CD and Flux agree.
--
-- Argo CD gives the object as obj and takes a table of status and message. Of Lua's libraries there are the basic
-- functions and table only: no string, no math. An object may hold anything at all, and an error in here would make it
-- Unknown: so nothing is used before its type is known.

local function field(from, name, kind)
  if type(from) == "table" and type(from[name]) == kind then
    return from[name]
  end
  return nil
end

local function health(status, message)
  return { status = status, message = message or "" }
end

local metadata = field(obj, "metadata", "table")
local status = field(obj, "status", "table")

local function condition(name)
  for _, c in ipairs(field(status, "conditions", "table") or {}) do
    if field(c, "type", "string") == name then
      return { status = field(c, "status", "string"), message = field(c, "message", "string") or "" }
    end
  end
  return {}
end

if field(metadata, "deletionTimestamp", "string") then
  return health("Progressing", "It is being deleted.")
end

-- No status, or one of an earlier spec: the operator has not seen it yet.
local generation = field(metadata, "generation", "number")
local observed = field(status, "observedGeneration", "number")
if observed == nil or observed ~= generation then
  return health("Progressing", "Waiting for the operator to see the change.")
end

-- What is worked on may yet come to an end by itself; what is stalled waits for a person.
local reconciling, stalled, ready = condition("Reconciling"), condition("Stalled"), condition("Ready")
if reconciling.status == "True" then
  return health("Progressing", reconciling.message)
end
if stalled.status == "True" then
  return health("Degraded", stalled.message)
end
if ready.status ~= "True" then
  return health("Progressing", ready.message or "Waiting for the operator.")
end

-- A key that is refused because its manifest says so is as healthy as one that is accepted, and the message tells
-- which of the two it is. It is not Suspended: Argo CD would wait in a sync of several waves until that is over.
local active = condition("Active")
if active.status == "False" then
  return health("Healthy", active.message)
end
return health("Healthy", ready.message)
