// Package conformity says what holds for every object of Keywright whenever its controller is done with it, whatever
// its kind and whatever was asked of it. Suites check it after each step.
//
// It judges an object as its readers see it: people, kubectl wait, and tools that go by kstatus. What a kind means by
// its reasons is the business of that kind's suite.
package conformity
