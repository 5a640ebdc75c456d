// Package gate answers gateways over HTTP: GET /auth says whether the request that they ask about may pass, and who
// sent it. It decides nothing itself: see verify. What may be reached without a key is not its business.
package gate
