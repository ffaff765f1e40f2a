//! Posting: what each move of credits debits and credits in the ledger. Pure and total.
