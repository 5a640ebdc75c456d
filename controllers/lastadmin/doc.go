// Package lastadmin is the controller of one condition: LastAdmin is True on the AdminUser that is active when no
// other is, and absent from all others. What follows from it is the business of admission and of the server.
package lastadmin
