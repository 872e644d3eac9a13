// Reads an SR as OHIF does, with cornerstone's adapters, and prints the bidirectional lines.
// node cornerstone_lines.mjs NODE_MODULES SR.dcm PLANES.json
import { readFileSync } from "node:fs";
import { adaptersSR, content, core, dcmjs } from "./cornerstone.mjs";

const [file, planesFile] = process.argv.slice(3);
const planes = JSON.parse(readFileSync(planesFile));
core.metaData.addProvider((type, id) => (type === "imagePlaneModule" ? planes[id] : undefined));
const message = dcmjs.data.DicomMessage.readFile(content(file));
const dataset = dcmjs.data.DicomMetaDictionary.naturalizeDataset(message.dict);
const images = Object.fromEntries(Object.keys(planes).map((uid) => [`${uid}:1`, uid]));
const report = adaptersSR.Cornerstone3D.MeasurementReport;
const state = report.generateToolState(dataset, images, core.metaData, {});
const lines = (state.Bidirectional ?? []).map((line) => ({
  image: line.annotation.metadata.referencedImageId,
  points: line.annotation.data.handles.points,
}));
console.log(JSON.stringify(lines));
process.exit(0);
