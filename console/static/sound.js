// A short motif for each category, so that the ear knows what the eye has yet to see; a critical one is played twice.
// From which priority on is chosen once and remembered. Browsers keep silent until the first click or key.

const KEY = "kruispunt.sound";
const APART_MS = 1_200;
const FROM = { critical: ["critical"], high: ["critical", "high"], all: ["critical", "high", "normal", "low"] };
// Pitches in Hz, each 0.13 s after the one before.
const MOTIFS = {
  stolen: [880, 1175], uninsured: [587, 494], no_inspection: [494, 494], wanted: [988, 740, 988],
  sis: [659, 880, 1319], bin: [784, 659, 784], event: [523, 784], football: [523, 659, 784],
  traffic: [440, 587], recherche: [1047, 784, 523], other: [659, 659],
};

let context = null, playedMs = 0;
let level = localStorage.getItem(KEY) ?? "critical";
if (level !== "off" && !(level in FROM)) level = "critical";

export const chosen = () => level;
export const blocked = () => level !== "off" && context?.state !== "running";

export async function choose(wanted) {
  level = wanted;
  localStorage.setItem(KEY, level);
  if (level !== "off" && await wake()) play("stolen", false);
}

export async function wake() {
  if (level === "off") return false;
  context ??= new AudioContext();
  await context.resume();
  return context.state === "running";
}

export function ring(alert) {
  if (level === "off" || !FROM[level].includes(alert.priority)) return;
  if (context?.state !== "running" || performance.now() - playedMs < APART_MS) return;
  play(alert.category, alert.priority === "critical");
}

function play(category, twice) {
  playedMs = performance.now();
  const motif = MOTIFS[category] ?? MOTIFS.other;
  const notes = twice ? [...motif, 0, ...motif] : motif;
  notes.forEach((pitch, number) => {
    if (pitch === 0) return;
    const at = context.currentTime + 0.13 * number;
    const tone = new OscillatorNode(context, { frequency: pitch, type: twice ? "triangle" : "sine" });
    const gain = new GainNode(context, { gain: 0 });
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(0.25, at + 0.01);
    gain.gain.linearRampToValueAtTime(0, at + 0.12);
    tone.connect(gain).connect(context.destination);
    tone.start(at);
    tone.stop(at + 0.125);
  });
}
