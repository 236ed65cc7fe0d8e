import { describe, expect, test } from 'vitest'
import { readConfig } from '../src/config.ts'

const needed = { POD_NAME: 'operator-1', POD_NAMESPACE: 'operators', SERVICE_NAME: 'operator' }

describe('the length of a generated password', () => {
  test.each([
    [undefined, 24],
    ['16', 16],
    ['64', 64],
  ])('set to %s is %i', (text, length) => {
    const environment = text === undefined ? needed : { ...needed, GENERATED_PASSWORD_LENGTH: text }
    expect(readConfig(environment).generatedPasswordLength).toBe(length)
  })

  test.each(['15', '65', '20.5', 'long', '', '-24'])('cannot be %j', (text) => {
    expect(() => readConfig({ ...needed, GENERATED_PASSWORD_LENGTH: text })).toThrow(
      /values\.yaml.*GENERATED_PASSWORD_LENGTH/,
    )
  })
})
