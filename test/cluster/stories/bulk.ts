/** SQL that makes data for dumps, in the database `shop`. */

/** About 2 MB that no compression makes smaller. */
export const bulk = `CREATE TABLE shop.bulk (id INT PRIMARY KEY, noise VARBINARY(1024));
  INSERT INTO shop.bulk WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)
  SELECT i, RANDOM_BYTES(1024) FROM n; INSERT INTO shop.bulk SELECT id + 900, RANDOM_BYTES(1024) FROM shop.bulk;`

/** The same, doubled so often: three times make some 15 MB, six times 115 MB. */
export const heap = (doublings: number) =>
  [
    bulk,
    ...Array.from(
      { length: doublings },
      (_, i) => `INSERT INTO shop.bulk SELECT id + ${1800 * 2 ** i}, RANDOM_BYTES(1024) FROM shop.bulk;`,
    ),
  ].join(' ')
