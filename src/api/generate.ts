/** Writes the files that are made from the schema and the rules. `npm run generate`. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { crd } from './crd.ts'
import { referencePage } from './docs/reference.ts'
import { rulesPage } from './docs/rulesPage.ts'

/** The chart's CRD as text. JSON is YAML too, and needs no library to be written the same way every time. */
const crdText = () => `${JSON.stringify(crd(), null, 2)}\n`

/** Every file that is made: its path in the project, and what makes its text. */
export const generated: Readonly<Record<string, () => string>> = {
  'charts/mysql-operator/files/mysqls.json': crdText,
  'docs/reference.md': referencePage,
  'docs/rules.md': rulesPage,
}

/** Where a file of the project is. */
export const pathOf = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url))

if (import.meta.main)
  for (const [file, text] of Object.entries(generated)) writeFileSync(pathOf(file), text())
