-- What servers can hold, one of each kind: a dump must bring it back as it was.
SET sql_mode = '', time_zone = '+05:30';
CREATE DATABASE `every "thing" 'quoted' ``ticked```;
CREATE DATABASE `later; --` CHARACTER SET latin1 COLLATE latin1_german1_ci;
CREATE DATABASE `последняя` COLLATE utf8mb4_bin;
USE `every "thing" 'quoted' ``ticked```;

CREATE TABLE `two words` (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY COMMENT 'it''s "quoted" \\ and ; -- ended',
  tiny TINYINT(1), whole DECIMAL(65, 30), near DOUBLE, bits BIT(17), year YEAR, span TIME(6),
  picked ENUM('it''s', 'comma,', ''), many SET('a', 'b', 'ü'),
  at TIMESTAMP(6) NULL, day DATE NOT NULL DEFAULT '0000-00-00', moment DATETIME(3) NOT NULL DEFAULT '0000-00-00 00:00:00',
  words TEXT, latin VARCHAR(30) CHARACTER SET latin1, wide VARCHAR(30) CHARACTER SET utf16, exact VARCHAR(20) COLLATE utf8mb4_bin
) AUTO_INCREMENT = 1000;
INSERT INTO `two words` VALUES
  (18446744073709551614, -1, 12345678901234567890123456789012345.123456789012345678901234567891, -1.7976931348623157e308, b'10000000000000001',
   1901, '-838:59:59.000000', 'it''s', 'a,ü', '2001-02-03 04:05:06.789012', '0000-00-00', '2024-00-15 00:00:00', '🐬 ''"`\\', 'é€', 'ü🐬', 'Aa'),
  (1, NULL, NULL, 2.2250738585072014e-308, NULL, NULL, NULL, '', '', NULL, '2024-02-00', '0000-00-00 00:00:00', '', '', '', ''),
  (2, 0, 0, 0.1, 0, 2155, '00:00:00.000001', NULL, NULL, '1970-01-01 05:30:01', '9999-12-31', '9999-12-31 23:59:59.999', 'line
break	tab', NULL, NULL, NULL);
SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
INSERT INTO `two words` (id, words) VALUES (0, 'zero is an id of its own');
SET sql_mode = '';

CREATE TABLE `a.b%c$d#é` (i INT) COMMENT 'odd names';
CREATE TABLE `'single'` (i INT);
CREATE TABLE `back``tick` (`co``lumn "x"` INT, `select` INT, ` leading` INT, KEY `k``ey` (`co``lumn "x"`));
CREATE TABLE `zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz` (i INT);
INSERT INTO `back``tick` VALUES (1, 2, 3);

CREATE TABLE bytes (id INT PRIMARY KEY, b LONGBLOB, v VARBINARY(600), f BINARY(16));
INSERT INTO bytes WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 255)
  SELECT i, UNHEX(REPEAT(LPAD(HEX(i), 2, '0'), 5)), UNHEX(LPAD(HEX(i), 2, '0')), UNHEX(LPAD(HEX(i), 2, '0')) FROM n;
INSERT INTO bytes SELECT 1000, (SELECT GROUP_CONCAT(b ORDER BY id SEPARATOR '') FROM bytes WHERE id < 150), NULL, NULL;
INSERT INTO bytes VALUES (1001, REPEAT(UNHEX('00FF275C0A0D1A22'), 200000), '', '');

CREATE TABLE documents (id INT PRIMARY KEY, j JSON, tag VARCHAR(40) AS (JSON_UNQUOTE(j->'$.tag')) STORED, length INT AS (CHAR_LENGTH(tag)) VIRTUAL,
  KEY (tag), KEY shouted ((UPPER(tag))), CONSTRAINT small CHECK (id < 1000000));
INSERT INTO documents (id, j) VALUES (1, '{"tag": "🐬", "n": 1.5, "deep": [null, true, {"a\\"b": "\\u0000"}]}'), (2, '[]'), (3, NULL), (4, '"text"');
CREATE TABLE articles (id INT PRIMARY KEY, title VARCHAR(100), body TEXT, FULLTEXT KEY (title, body), FULLTEXT KEY grams (body) WITH PARSER ngram);
INSERT INTO articles VALUES (1, 'A dump', 'that came back'), (2, 'Wörter', '日本語');
CREATE TABLE places (id INT PRIMARY KEY, g POINT NOT NULL SRID 4326, SPATIAL KEY (g));
INSERT INTO places VALUES (1, ST_GeomFromText('POINT(52.5 13.4)', 4326));
CREATE TABLE hidden (a INT PRIMARY KEY, b INT INVISIBLE DEFAULT 7, c INT DEFAULT (a * 2), KEY down (c DESC), KEY unseen (a) INVISIBLE);
INSERT INTO hidden (a, b) VALUES (1, 2), (2, DEFAULT);

CREATE TABLE by_range (id INT, at DATE, PRIMARY KEY (id, at)) PARTITION BY RANGE COLUMNS (at)
  (PARTITION `old` VALUES LESS THAN ('2020-01-01') COMMENT 'it''s', PARTITION rest VALUES LESS THAN (MAXVALUE));
INSERT INTO by_range VALUES (1, '2019-12-31'), (2, '2020-01-01');
CREATE TABLE by_hash (id INT PRIMARY KEY) PARTITION BY LINEAR HASH (id) PARTITIONS 3;
INSERT INTO by_hash VALUES (1), (2), (3), (4);
CREATE TABLE by_list (id INT, kind VARCHAR(9)) PARTITION BY LIST COLUMNS (kind) (PARTITION p1 VALUES IN ('a', NULL), PARTITION p2 VALUES IN ('b'));
INSERT INTO by_list VALUES (1, 'a'), (2, NULL), (3, 'b');

CREATE TABLE hen (id INT PRIMARY KEY, egg INT);
CREATE TABLE egg (id INT PRIMARY KEY, hen INT, CONSTRAINT laid FOREIGN KEY (hen) REFERENCES hen (id) ON DELETE CASCADE ON UPDATE SET NULL);
ALTER TABLE hen ADD CONSTRAINT hatched FOREIGN KEY (egg) REFERENCES egg (id);
INSERT INTO hen VALUES (1, NULL); INSERT INTO egg VALUES (1, 1); UPDATE hen SET egg = 1;

CREATE TABLE old_engine (i INT, FULLTEXT KEY (w), w TEXT) ENGINE = MyISAM CHARSET latin1;
INSERT INTO old_engine VALUES (1, 'ä');
CREATE TABLE in_memory (i INT) ENGINE = MEMORY;
CREATE TABLE packed (i INT, x TEXT) ROW_FORMAT = COMPRESSED KEY_BLOCK_SIZE = 8;
INSERT INTO packed VALUES (1, REPEAT('x', 5000));
CREATE TABLE log (what VARCHAR(200), mode VARCHAR(100));

CREATE TABLE `later; --`.prices (id INT PRIMARY KEY, amount DECIMAL(9, 2), note VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_german1_ci DEFAULT 'ä');
INSERT INTO `later; --`.prices VALUES (1, 9.99, 'größer');
CREATE DEFINER = root@localhost VIEW z_last AS SELECT p.id, p.amount, p.note FROM `later; --`.prices p;
CREATE ALGORITHM = MERGE DEFINER = root@localhost SQL SECURITY INVOKER VIEW a_first AS SELECT id, amount FROM z_last WHERE amount > 0 WITH CASCADED CHECK OPTION;
CREATE DEFINER = root@localhost VIEW `view ``of` (`co"l`, `'x'`) AS SELECT id, CONCAT('it''s', "🐬\\") FROM a_first;

DELIMITER $$
CREATE FUNCTION tripled(n INT) RETURNS INT DETERMINISTIC COMMENT 'it''s' RETURN n * 3$$
SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,STRICT_ALL_TABLES'$$
CREATE PROCEDURE `ansi "proc"`(IN "a b" INT, OUT said TEXT) SQL SECURITY INVOKER
BEGIN
  -- a comment; with 'marks
  DECLARE CONTINUE HANDLER FOR NOT FOUND SET said = 'none' || '🐬';
  /* another */ SELECT "words" INTO said FROM "two words" WHERE id = "a b";
END$$
SET sql_mode = 'NO_BACKSLASH_ESCAPES,NO_ZERO_DATE'$$
CREATE TRIGGER second_of_two AFTER INSERT ON hidden FOR EACH ROW INSERT INTO log VALUES (CONCAT('\', NEW.a), @@sql_mode)$$
SET sql_mode = ''$$
CREATE TRIGGER first_of_two AFTER INSERT ON hidden FOR EACH ROW PRECEDES second_of_two BEGIN IF NEW.a > 5 THEN INSERT INTO log VALUES ('first', 'ü'); END IF; END$$
CREATE DEFINER = 'nobody'@'nowhere' PROCEDURE orphan() SELECT 1$$
DELIMITER ;
CREATE DEFINER = root@localhost VIEW calculated AS SELECT a, tripled(a) AS t FROM hidden;
SET time_zone = '-03:00', sql_mode = 'ANSI_QUOTES';
CREATE EVENT `on "time"` ON SCHEDULE EVERY '1:30' DAY_HOUR STARTS '2040-01-01 00:00:00' ENDS '2041-01-01 00:00:00' ON COMPLETION PRESERVE DISABLE
  COMMENT 'it''s' DO INSERT INTO "log" VALUES ('event', 'x');
SET time_zone = SYSTEM, sql_mode = DEFAULT;
CREATE EVENT once ON SCHEDULE AT '2040-06-01 12:00:00' DO DELETE FROM log;
