// Package web owns the frame of the web pages: the layout, forms, problem pages and assets. The pages are in the
// packages below it. Each returns an httpapi.Group, which is mounted as the groups of the REST API are, and calls the
// same use cases: a page decides nothing itself.
//
// To add a page:
//   - put its template into templates/ of its package. It defines "main" and gets a Frame; the components of
//     templates/components.html and the functions of NewView are there;
//   - parse it once with NewView, and write it with Render;
//   - list its route in the package's Group. Routes with a GET are in the navigation if a Section names them.
//
// Pages work without JavaScript. assets/app.js adds copying, dialogs, countdowns and times in the reader's zone. The
// Content-Security-Policy forbids inline scripts and styles, and anything from outside.
//
// The icons are Lucide's, the colours Radix's; their licences are in the folders.
package web
