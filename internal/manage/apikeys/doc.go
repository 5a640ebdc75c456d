// Package apikeys owns what can be done with API keys by whoever may: list, create, change, rotate, revoke and delete
// them, for users, accounts and integrations. It decides who may, and leaves a trail of what was done. It knows no
// protocol: a surface reads what is asked, and says the answer.
package apikeys
