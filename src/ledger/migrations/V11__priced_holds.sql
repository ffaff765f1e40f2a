-- 11. What a hold is priced by.
--
-- A hold that was made by usage keeps the catalog's version of that instant for all its commits. The version is in the hold's packed
-- form already; here it stands where finance can read it beside the amounts. Not a foreign key: a hold was acknowledged whatever the
-- ledger has, and a ledger that went back to an older copy may have lost the version.
alter table holds add catalog_version bigint check (catalog_version > 0);
