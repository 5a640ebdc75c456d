// Package browser opens pages in Chromium for tests, and acts on them as a person does.
//
// Elements are found as assistive technology finds them: by role and accessible name. An action waits until its element
// is there, visible, enabled and at rest. Every page records what must not happen: violations of the
// Content-Security-Policy, errors on the console, uncaught exceptions, dialogs of scripts, requests to other hosts. The
// test that owns the page fails because of them.
package browser
