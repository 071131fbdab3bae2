// Pieces of the document that several parts of the page are made of.

export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (name in made && name !== 'list' && name !== 'form') made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const percent = (probability) => `${(100 * probability).toFixed(1)} %`;

export function bars(guesses) {
  return make('ol', { className: 'bars' }, ...guesses.map((guess) => {
    const fill = make('div', { className: 'fill' });
    fill.style.width = `${100 * guess.probability}%`;
    return make('li', {},
      make('span', { className: 'name' }, guess.class), make('span', { className: 'share' }, percent(guess.probability)),
      make('div', { className: 'track', ariaHidden: 'true' }, fill));
  }));
}

export function waiting() {
  const track = () => make('li', {}, make('span', { className: 'name' }, '\u00a0'), make('div', { className: 'track' }));
  return make('ol', { className: 'bars wait', ariaHidden: 'true' }, track(), track());
}
