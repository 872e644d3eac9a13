-- For a site whose PACS sends to an Orthanc first: each study with MR pictures goes on to gliowatch,
-- whole, once nothing of it has come for Orthanc's StableAge. In Orthanc's configuration:
--   "LuaScripts": ["/etc/orthanc/gliowatch.lua"], "StableAge": 60,
--   "DicomModalities": {"gliowatch": ["GLIOWATCH", "10.0.5.20", 11112]}
-- A study that cannot be sent is a failed job of Orthanc: POST /jobs/ID/resubmit sends it again.

local NODE = 'gliowatch' -- its name under DicomModalities

local function hasPictures(study)
  for _, series in ipairs(ParseJson(RestApiGet('/studies/' .. study .. '/series'))) do
    if series['MainDicomTags']['Modality'] == 'MR' then
      return true
    end
  end
  return false
end

function OnStableStudy(study, tags, metadata)
  if hasPictures(study) then
    local wish = {Resources = {study}, Asynchronous = true}
    RestApiPost('/modalities/' .. NODE .. '/store', DumpJson(wish, true))
  end
end
