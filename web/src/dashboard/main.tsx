import './dashboard.css';
import { render } from 'preact';
import { App } from './App';
import { keepFocus } from './focus';

keepFocus();
render(<App />, document.getElementById('app')!);
