// What our scripts say, in the language of the page: English stands in the code, the others in /words/{language}.js.
const known = globalThis.ringcardWords;

export function say(sentence, values = {}) {
  return fill(known?.texts[sentence] ?? sentence, values);
}

// `counted("{n} tab", "{n} tabs", n)`: languages have up to six forms.
export function counted(one, many, n, values = {}) {
  const forms = known?.texts[one];
  return fill(forms ? forms[known.form(n)] : n === 1 ? one : many, { n, ...values });
}

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
