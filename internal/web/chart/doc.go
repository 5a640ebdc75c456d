// Package chart draws charts as SVG, for pages with a policy that allows no inline style and no inline script: shapes
// have presentation attributes and classes only, and app.css has their colours. It is pure.
//
// A chart is an image with a title and a description. Its page has the same numbers in a table.
package chart
