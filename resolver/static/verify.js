/* Verifying what a node signed, in the reader's browser: nothing is sent, and nothing but this page is needed.
   The same rules as registry/jose.py: one altered octet of an answer or of its header is refused. */
"use strict";

const KINDS = ["filament-answer", "filament-bundle", "filament-root"];

class Refused extends Error {}

/** Octets of base64url without padding, in the one form that they have. */
function octetsOf(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new Refused("form");
  let binary;
  try {
    binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    throw new Refused("form");
  }
  const octets = Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
  if (base64url(octets) !== text) throw new Refused("form");
  return octets;
}

function base64url(octets) {
  let binary = "";
  for (let begin = 0; begin < octets.length; begin += 0x8000) {
    binary += String.fromCharCode(...octets.subarray(begin, begin + 0x8000));
  }
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function parsed(octets) {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(octets));
  } catch {
    throw new Refused("form");
  }
}

/** The parts of a document that holds what was signed, or of an answer and the signature beside it. */
function partsOf(document, signature) {
  if (signature) {
    const parts = signature.trim().split(".");
    if (parts.length !== 3 || parts[1]) throw new Refused("form");
    return { payload: document, protected: parts[0], signature: parts[2] };
  }
  const form = parsed(document);
  const members = [form?.payload, form?.protected, form?.signature];
  if (!members.every((member) => typeof member === "string")) throw new Refused("form");
  return { payload: octetsOf(form.payload), protected: form.protected, signature: form.signature };
}

/** The Ed25519 key of a did:web document that has this thumbprint (RFC 7638). */
async function keyOf(did, thumbprint) {
  const allowed = new Set(did.assertionMethod);
  for (const method of did.verificationMethod) {
    const { crv, kty, x } = method.publicKeyJwk;
    if (kty !== "OKP" || crv !== "Ed25519" || !allowed.has(method.id)) continue;
    const named = new TextEncoder().encode(JSON.stringify({ crv, kty, x }));
    if (base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", named))) === thumbprint) return method;
  }
  throw new Refused("key");
}

/** What was signed, when, and by which key. Throws Refused with the reason. */
async function verified(document, signature, did, now) {
  const parts = partsOf(document, signature);
  const header = parsed(octetsOf(parts.protected));
  if (header?.alg === "urn:oid:1.2.156.10197.1.501") throw new Refused("sm2");
  if (header === null || header.alg !== "EdDSA" || "crit" in header) throw new Refused("form");
  const method = await keyOf(did, header.kid);
  const { crv, kty, x } = method.publicKeyJwk;
  const key = await crypto.subtle.importKey("jwk", { crv, kty, x }, "Ed25519", false, ["verify"]);
  const covered = new TextEncoder().encode(`${parts.protected}.${base64url(parts.payload)}`);
  if (!(await crypto.subtle.verify("Ed25519", key, octetsOf(parts.signature), covered))) throw new Refused("altered");
  if (!KINDS.includes(header.typ) || !Number.isInteger(header.iat)) throw new Refused("form");
  if ("exp" in header && !Number.isInteger(header.exp)) throw new Refused("form");
  if (method.revoked && header.iat > Date.parse(method.revoked) / 1000) throw new Refused("retired");
  if ("exp" in header && now >= header.exp) throw new Refused("expired");
  return { header, body: parsed(parts.payload) };
}

function prepare() {
  const did = JSON.parse(document.getElementById("keys").textContent);
  const names = ["statement", "signature", "file", "verify", "said", "shown"];
  const [statement, signature, file, button, said, shown] = names.map((name) => document.getElementById(name));
  let opened = null; // The octets of a file: text in a field would have its line ends changed.

  function say(rule, good) {
    said.textContent = said.dataset[rule];
    said.className = good ? "note good" : "note bad";
    said.hidden = false;
  }

  async function look() {
    shown.hidden = true;
    const octets = opened || new TextEncoder().encode(statement.value.trim());
    try {
      const { header, body } = await verified(octets, signature.value, did, Date.now() / 1000);
      say("good", true);
      const when = new Date(header.iat * 1000).toLocaleString();
      const until = header.exp ? new Date(header.exp * 1000).toLocaleString() : "—";
      const facts = { when, until, request: header.request || "—", position: header.position || "—", key: header.kid };
      for (const [name, text] of Object.entries(facts)) shown.querySelector(`[data-fact=${name}]`).textContent = text;
      shown.querySelector("pre").textContent = JSON.stringify(body, null, 2);
      shown.hidden = false;
    } catch (error) {
      say(error instanceof Refused ? error.message : "unable", false);
    }
  }

  statement.addEventListener("input", () => {
    opened = null;
  });
  file.addEventListener("change", async () => {
    if (!file.files[0]) return;
    opened = new Uint8Array(await file.files[0].arrayBuffer());
    statement.value = new TextDecoder().decode(opened);
    await look();
  });
  button.addEventListener("click", look);
  if (!globalThis.crypto?.subtle) say("insecure", false);
}

if (typeof document === "undefined") {
  globalThis.verified = verified;
} else {
  prepare();
}
