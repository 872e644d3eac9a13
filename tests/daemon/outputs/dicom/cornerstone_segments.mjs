// Reads a SEG as OHIF does, with cornerstone's adapters, and prints for each image that has some of
// it how many pixels each segment has there.
// node cornerstone_segments.mjs NODE_MODULES SEG.dcm IMAGE.dcm...
import { adaptersSEG, content, core, dcmjs } from "./cornerstone.mjs";

const [file, ...images] = process.argv.slice(3);
const known = {};
for (const path of images) {
  const message = dcmjs.data.DicomMessage.readFile(content(path));
  const found = dcmjs.data.DicomMetaDictionary.naturalizeDataset(message.dict);
  const along = found.ImageOrientationPatient.map(Number);
  const [down, across] = found.PixelSpacing.map(Number);
  known[`dicom:${found.SOPInstanceUID}`] = {
    instance: found,
    generalImageModule: { sopInstanceUID: found.SOPInstanceUID },
    generalSeriesModule: { seriesInstanceUID: found.SeriesInstanceUID, modality: found.Modality },
    sopCommonModule: { sopClassUID: found.SOPClassUID, sopInstanceUID: found.SOPInstanceUID },
    imagePixelModule: { bitsAllocated: 16, bitsStored: 16, highBit: 15, samplesPerPixel: 1,
      pixelRepresentation: 0, photometricInterpretation: "MONOCHROME2" },
    imagePlaneModule: { rows: found.Rows, columns: found.Columns,
      imageOrientationPatient: along, rowCosines: along.slice(0, 3), columnCosines: along.slice(3),
      imagePositionPatient: found.ImagePositionPatient.map(Number), rowPixelSpacing: down,
      columnPixelSpacing: across, pixelSpacing: [down, across],
      frameOfReferenceUID: found.FrameOfReferenceUID },
  };
}
const own = {};
core.metaData.addProvider((type, id) => known[id]?.[type] ?? own[id]?.[type], 10000);
const provider = {
  get: (type, id) => core.metaData.get(type, id),
  add: (id, type, value) => ((own[id] ??= {})[type] = value),
};
const read = adaptersSEG.Cornerstone3D.Segmentation.createLabelmapsFromDICOMBuffer;
const made = await read(Object.keys(known), content(file), provider, {});
const counts = {};
for (const each of made.labelMapImages.flat()) {
  for (const value of each.getPixelData()) {
    if (value) ((counts[each.referencedImageId] ??= {})[value] ??= 0, counts[each.referencedImageId][value]++);
  }
}
console.log(JSON.stringify(counts));
process.exit(0);
