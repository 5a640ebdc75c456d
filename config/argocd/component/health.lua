-- Health of an AdminUser or APIKey in Argo CD. It follows kstatus, so that Argo CD and Flux agree.
--
-- Argo CD passes the object as obj and takes a table of status and message. Only the basic functions and table of
-- Lua's libraries are available: no string, no math. An object may hold any value, and an error in this script would
-- make it Unknown: so the type of every value is checked before its use.

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

-- No status, or one of an earlier spec: the operator has not processed it yet.
local generation = field(metadata, "generation", "number")
local observed = field(status, "observedGeneration", "number")
if observed == nil or observed ~= generation then
  return health("Progressing", "Waiting for the operator to see the change.")
end

-- Reconciling may end by itself; Stalled waits for a person.
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

-- A key that is refused because its manifest says so is as healthy as an accepted one, and the message distinguishes
-- them. It is not Suspended: Argo CD would wait for that in a sync with several waves.
local active = condition("Active")
if active.status == "False" then
  return health("Healthy", active.message)
end
return health("Healthy", ready.message)
