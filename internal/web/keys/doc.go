// Package keys has the pages about API keys: the list, the form to create one, and the page of each key.
package keys
