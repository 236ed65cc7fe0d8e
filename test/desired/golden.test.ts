import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import { cases, manifests, readable } from './cases.ts'

test.each(Object.entries(cases))('the manifests of a MySQL with %s', async (name, mysql) => {
  const text = manifests(mysql).map((manifest) =>
    stringify(readable(manifest), { aliasDuplicateObjects: false, lineWidth: 0 }),
  )
  await expect(text.join('---\n')).toMatchFileSnapshot(`golden/${name.replaceAll(' ', '-')}.yaml`)
})
