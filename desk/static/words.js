// What our scripts say, in the language of the page: English stands in the code, the others in /words/{language}.js.
const known = globalThis.ringcardWords;

export function say(sentence, values = {}) {
  return fill(known?.texts[sentence] ?? sentence, values);
}

// `counted("{n} tab", "{n} tabs", n)`: languages have up to six forms.
export function counted(one, many, n, values = {}) {
  const forms = known?.texts[one] ?? [one, many];
  return fill(forms[known ? known.form(n) : Number(n !== 1)] ?? many, { n, ...values });
}

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
