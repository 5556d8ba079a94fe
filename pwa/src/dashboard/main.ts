import '../design/tokens.css';
import '../design/base.css';
import { mount } from 'svelte';
import Dashboard from './Dashboard.svelte';
import { recallLanguage } from './language';

recallLanguage();
const target = document.getElementById('app');
if (target) {
  target.replaceChildren();
  mount(Dashboard, { target });
}
