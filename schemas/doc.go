// Package schemas is Firebreak's wire contract: the events, the entities they
// speak of, the records of the ledger and the description of an action.
//
// It holds data and the rules that follow from the data alone (subjects,
// names, what is signed). It connects to nothing and knows no service; every
// other package may import it, and it imports none of them.
//
// Start with [Event] (what happened) and [Record] (what we decided and did).
// The JSON Schemas under json/ are generated from these types (make generate).
package schemas
