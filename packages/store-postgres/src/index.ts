// What other packages use of the Postgres store.
