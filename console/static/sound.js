// Two short tones for a critical alert, once the operator has turned them on: browsers want a click first.

let context = null;

export async function turnOn() {
  context ??= new AudioContext();
  await context.resume();
  beep();
}

export async function turnOff() {
  await context?.suspend();
}

export function beep() {
  if (context === null || context.state !== "running") return;
  for (const [delay, pitch] of [[0, 880], [0.18, 1175]]) {
    const at = context.currentTime + delay;
    const tone = new OscillatorNode(context, { frequency: pitch });
    const gain = new GainNode(context, { gain: 0 });
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(0.25, at + 0.01);
    gain.gain.linearRampToValueAtTime(0, at + 0.14);
    tone.connect(gain).connect(context.destination);
    tone.start(at);
    tone.stop(at + 0.15);
  }
}
