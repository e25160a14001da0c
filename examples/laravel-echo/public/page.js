import Echo from '/node_modules/laravel-echo/dist/echo.js';

const name = new URLSearchParams(location.search).get('name');
const find = (selector) => document.querySelector(selector);
const [status, messages, list, typing, text, wave] = ['#status', '#messages', '#people', '#typing', '#text', '#wave'].map(find);
const hue = (user) => [...user].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);

find(name ? 'main' : '#enter').hidden = false;
if (name) {
  // In Laravel the session tells who asks; here the page says it.
  const asUser = (path) => `${path}?${new URLSearchParams({ name })}`;

  const echo = new Echo({
    broadcaster: 'reverb',
    key: find('meta[name=reverb-key]').content,
    wsHost: location.hostname,
    wsPort: location.port || 80,
    wssPort: location.port || 443,
    forceTLS: location.protocol === 'https:',
    enabledTransports: ['ws', 'wss'],
    authEndpoint: asUser('/broadcasting/auth'),
  });

  let refused = ''; // why: a wrong key, origin or signature; the browser itself shows nothing
  const refuse = (why) => { status.textContent = refused = why; };
  echo.connector.pusher.connection.bind('error', ({ error }) => error?.data?.message && refuse(error.data.message));
  echo.connector.onConnectionChange((state) => {
    if (state !== 'disconnected') refused = '';
    status.textContent = refused || (state === 'connected' ? state : 'connecting');
    status.className = state === 'connected' ? 'online' : '';
    find('main button').disabled = state !== 'connected';
  });

  const people = new Set();
  const room = echo.join('room')
    .here((users) => { people.clear(); users.forEach((user) => people.add(user.name)); showPeople(); })
    .joining((user) => { people.add(user.name); showPeople(); })
    .leaving((user) => { people.delete(user.name); showPeople(); })
    .listen('.message', showMessage)
    .listenForWhisper('typing', showTyping)
    .error(({ error, status }) => refuse(`not in the room: ${error ?? status}`));

  echo.private(`users.${name}`).listen('.wave', ({ from }) => show(wave, `${from} waves to you`));

  const post = (path, fields) => fetch(asUser(path), {
    method: 'POST',
    headers: { 'X-Socket-ID': echo.socketId() }, // for toOthers() of Laravel
    body: new URLSearchParams(fields),
  });

  find('main form').onsubmit = async (event) => {
    event.preventDefault();
    const message = { from: name, text: text.value };
    if (message.text.trim() === '') return;
    text.value = '';
    typedAt = 0;
    showMessage(message); // the others get it from the server
    const answer = await post('/messages', { text: message.text }).catch(() => undefined); // no connection
    if (!answer?.ok) refuse('the message was not sent');
  };

  let typedAt = 0;
  text.oninput = () => {
    if (Date.now() - typedAt > 2000) {
      typedAt = Date.now();
      room.whisper('typing', { name });
    }
  };

  function item(list, tag, user) {
    const line = list.appendChild(document.createElement('li'));
    line.style.setProperty('--hue', hue(user));
    return tag ? line.appendChild(document.createElement(tag)) : line;
  }

  function showMessage({ from, text }) {
    const line = item(messages, '', from);
    line.classList.toggle('mine', from === name);
    line.append(Object.assign(document.createElement('b'), { textContent: from }), text);
    line.scrollIntoView();
    typing.textContent = '';
  }

  function showPeople() {
    list.replaceChildren();
    for (const user of [...people].sort()) {
      const button = item(list, 'button', user);
      button.dataset.initial = [...user][0].toUpperCase();
      button.textContent = user;
      button.title = user === name ? 'you' : `wave to ${user}`;
      button.onclick = () => post('/waves', { to: user });
    }
  }

  function showTyping({ name }) {
    show(typing, `${name} is typing …`);
  }

  function show(place, words) {
    place.textContent = words;
    place.hidden = false;
    clearTimeout(place.ends);
    place.ends = setTimeout(() => { place.textContent = ''; place.hidden = place === wave; }, 3000);
  }
}
