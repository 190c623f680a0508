/* Scanning on the start page: by camera, by photo, by a scanner that types. Pictures never leave the device.
   What reads them is the browser's own BarcodeDetector where it knows our symbols, else zxing, served by this node. */
"use strict";

const FORMATS = ["qr_code", "data_matrix", "code_128"];
const ZXING = ["QRCode", "DataMatrix", "Code128", "EAN13", "EAN8", "UPCA", "ITF", "DataBar", "DataBarExp"];
const OF_GS1 = /^\](C1|e[0-2]|d2|Q3|J1)$/; // GS1-128, DataBar, DataMatrix, QR and DotCode (ISO/IEC 15424).
const LONGEST_SIDE = 1600; // Pixels; larger pictures are read no better, only more slowly.
const PAUSE = 120; // Milliseconds between two looks at the camera: leaves the phone time to focus and to cool.

const form = document.querySelector("form");
const field = document.getElementById("handle");
const ways = document.getElementById("ways");
const view = document.getElementById("view");
const video = document.getElementById("video");
const camera = document.getElementById("camera");
const stop = document.getElementById("stop");
const photo = document.getElementById("photo");
const picture = document.getElementById("picture");
const said = document.getElementById("said");

let stream = null;
let reader = null;

function say(rule) {
  said.textContent = rule ? said.dataset[rule] : "";
}

/** The texts in a canvas, the first that was found first. */
async function read(canvas) {
  reader = reader || chooseReader();
  return (await reader)(canvas);
}

async function chooseReader() {
  if ("BarcodeDetector" in window) {
    const known = await window.BarcodeDetector.getSupportedFormats();
    if (FORMATS.every((format) => known.includes(format))) {
      const detector = new window.BarcodeDetector({ formats: FORMATS });
      return async (canvas) => (await detector.detect(canvas)).map((found) => found.rawValue);
    }
  }
  await load(said.dataset.reader);
  window.ZXingWASM.prepareZXingModule({ overrides: { locateFile: () => said.dataset.wasm } });
  const options = { formats: ZXING, tryHarder: true, textMode: "Plain", maxNumberOfSymbols: 1 };
  return async (canvas) => {
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return (await window.ZXingWASM.readBarcodes(pixels, options)).map(named);
  };
}

/** A symbol of GS1 says so in front, as scanners send it: its figures alone could be anything. */
function named(found) {
  return OF_GS1.test(found.symbologyIdentifier) ? found.symbologyIdentifier + found.text : found.text;
}

function load(address) {
  return new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = done;
    script.onerror = failed;
    document.head.append(script);
  });
}

function drawn(source, width, height) {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff"; // What is transparent in a picture is paper.
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function ask(text) {
  stopCamera();
  field.value = text;
  form.requestSubmit(form.querySelector("button"));
}

async function startCamera() {
  say("");
  const wanted = { video: { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 720 } } };
  try {
    stream = await navigator.mediaDevices.getUserMedia(wanted);
  } catch (error) {
    say(error.name === "NotAllowedError" ? "denied" : "none");
    return;
  }
  view.hidden = stop.hidden = false;
  ways.hidden = true;
  say("aim");
  video.srcObject = stream;
  await video.play();
  const of = stream;
  while (stream === of) {
    if (video.videoWidth) {
      const [text] = await read(drawn(video, video.videoWidth, video.videoHeight));
      if (text && stream === of) {
        ask(text);
        return;
      }
    }
    await new Promise((done) => setTimeout(done, PAUSE));
  }
}

function stopCamera() {
  if (stream) {
    stream.getTracks().forEach((track) => track.stop());
    stream = null;
    video.srcObject = null;
  }
  view.hidden = stop.hidden = true;
  ways.hidden = false;
  say("");
}

async function readPicture(file) {
  say("reading");
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    say("nothing");
    return;
  }
  const [text] = await read(drawn(bitmap, bitmap.width, bitmap.height));
  if (text) ask(text);
  else say("nothing");
}

function guarded(work) {
  return (...given) =>
    work(...given).catch(() => {
      stopCamera();
      say("broken");
    });
}

ways.hidden = false;
if (navigator.mediaDevices) camera.addEventListener("click", guarded(startCamera));
else {
  camera.hidden = true;
  document.getElementById("insecure").hidden = window.isSecureContext;
}
stop.addEventListener("click", stopCamera);
photo.addEventListener("click", () => picture.click());
picture.addEventListener("change", guarded(async () => {
  const [file] = picture.files;
  picture.value = "";
  if (file) await readPicture(file);
}));
document.addEventListener("paste", guarded(async (event) => {
  const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
  if (file) await readPicture(file);
}));

/* Scanners type the group separator of a GS1 symbol (FNC1, 0x1D) as Ctrl+], which browsers drop; and they type wherever
   the focus is, so that keys outside the field are taken into it. */
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey && !event.altKey && (event.key === "]" || event.key === "\u001d")) {
    event.preventDefault();
    field.setRangeText("\u001d", field.selectionStart, field.selectionEnd, "end");
  } else if (event.target === document.body && event.key.length === 1 && !event.ctrlKey && !event.metaKey) {
    field.focus();
  }
});
