/** What an older operator left: a claim without labels, and in it one plain dump of one database. */
import { expect, it } from 'vitest'
import { condition, query, ready, space, sql, theCluster } from './support.ts'
import { onVolume } from './volume.ts'

const name = 'older'

const claim = {
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: `backup-${name}-pvc`, labels: { app: name } },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
}

/** As mysqldump of MySQL 5.7 wrote it: no CREATE DATABASE, no USE, and an SQL mode that newer servers do not know. */
const dump = `-- MySQL dump 10.13  Distrib 5.7.36, for Linux (x86_64)
--
-- Host: ${name}    Database: otus-database
-- ------------------------------------------------------
-- Server version\t5.7.36

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET NAMES utf8 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;

DROP TABLE IF EXISTS \`test\`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8 */;
CREATE TABLE \`test\` (
  \`id\` smallint(5) unsigned NOT NULL AUTO_INCREMENT,
  \`name\` varchar(20) NOT NULL,
  PRIMARY KEY (\`id\`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=latin1;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES \`test\` WRITE;
/*!40000 ALTER TABLE \`test\` DISABLE KEYS */;
INSERT INTO \`test\` VALUES (1,'some data'),(2,'some data-2');
/*!40000 ALTER TABLE \`test\` ENABLE KEYS */;
UNLOCK TABLES;
/*!50003 SET @saved_sql_mode       = @@sql_mode */ ;
/*!50003 SET sql_mode              = 'STRICT_TRANS_TABLES,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION' */ ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=\`root\`@\`%\`*/ /*!50003 TRIGGER loud BEFORE INSERT ON test FOR EACH ROW
  SET NEW.name = UPPER(NEW.name) */;;
DELIMITER ;
/*!50003 SET sql_mode              = @saved_sql_mode */ ;

/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;

-- Dump completed on 2022-02-20 20:22:02
`

it('is not touched until its owner labels it as the status says; then its dump is restored', async () => {
  const place = await space(await theCluster(), 'older')
  const { cluster, namespace } = place
  await cluster.run('kubectl', ['-n', namespace, 'create', '-f', '-'], { input: JSON.stringify(claim) })
  await onVolume(place, claim.metadata.name, `cat > ${name}-dump.sql`, dump)
  await place.apply(name, { database: 'otus-database', password: 'otuspassword', user_password: 's256789' })

  const taken = await condition(place, name, 'Degraded', 'True', 'NameTaken')
  const message = taken.status?.message ?? ''
  expect(message).toContain(`${namespace}/backup-${name}-pvc`)
  expect(message).not.toContain('delete')
  const remedy = /`kubectl (label [^`]*)`/.exec(message)?.[1]
  expect(remedy, message).toBeDefined()
  await cluster.kubectl(...(remedy ?? '').split(' '))

  const { status } = await ready(place, name)
  expect(status?.message).toBe(`Mysql created from backup ${name}-dump.sql`)
  const rows = 'INSERT INTO test (name) VALUES ("new"); SELECT * FROM test ORDER BY id'
  const root = { user: 'root', password: 'otuspassword' }
  expect(await query(place, name, root, `USE \`otus-database\`; ${rows}`)).toBe(
    '1\tsome data\n2\tsome data-2\n3\tNEW',
  )
  const ali = await sql(place, name, { user: 'ali', password: 's256789' }, 'SELECT 1')
  expect(ali).toMatchObject({ code: 0, stdout: '1\n' })
  expect(await onVolume(place, claim.metadata.name, 'cat *-dump.sql')).toBe(dump)
})
