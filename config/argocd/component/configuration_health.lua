-- Health of ConfigMap keywright-config in Argo CD, from the annotations with which the operator reports its check.
-- Argo CD runs the script for every ConfigMap: all others are healthy, except one with the hash of a kustomize
-- generator in its name, which Keywright does not read.
--
-- Only the basic functions and table of Lua's libraries are available, and an object may hold any value: see
-- health.lua.

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
local name = field(metadata, "name", "string") or ""
local wanted = "keywright-config"

-- The order of texts stands in for a comparison of prefixes: "-" is directly before ".". A hash has ten characters.
if name > wanted .. "-" and name < wanted .. "." and #name == #wanted + 11 then
  return health("Degraded", "It is not read: the name of the configuration is " .. wanted ..
    ". Set disableNameSuffixHash: true for the generator.")
end
if name ~= wanted then
  return health("Healthy")
end

-- The operator writes after every change of others: a change that is not earlier than its last write is not checked yet.
-- Times are RFC 3339 in UTC, which compare as texts.
local function is_checked()
  local managers, ours = field(metadata, "managedFields", "table"), nil
  for _, entry in ipairs(managers or {}) do
    if field(entry, "manager", "string") == "keywright" then
      ours = field(entry, "time", "string")
    end
  end
  for _, entry in ipairs(managers or {}) do
    local time = field(entry, "time", "string") or ""
    if ours == nil or field(entry, "manager", "string") ~= "keywright" and time >= ours then
      return false
    end
  end
  return true
end

local annotations = field(metadata, "annotations", "table")
local status = field(annotations, "keywright.dev/configuration-status", "string")
local message = field(annotations, "keywright.dev/configuration-message", "string")
if status == nil or not is_checked() then
  return health("Progressing", "Waiting for the operator to check the change.")
end
if status == "Invalid" then
  return health("Degraded", message)
end
if status == "Accepted" then
  return health("Healthy", message)
end
return health("Progressing", message)
