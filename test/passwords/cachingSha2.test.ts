import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hash, parse, serialise, verify } from '../../src/passwords/cachingSha2.ts'
import { shaCrypt256 } from '../../src/passwords/shaCrypt.ts'
import vectors from './vectors.json' with { type: 'json' }

const stored = vectors.map((vector) => ({ ...vector, bytes: Buffer.from(vector.stored_hex, 'hex') }))
const example = Buffer.from('$A$005$saltstring123456789|kvpr22UrFOh2wbD.qzZemKCYt1pGrZYG1fvB1zBYgT8')

/** Any salt that a server can make. */
const serverSalt = fc
  .array(
    fc.integer({ min: 1, max: 127 }).filter((code) => code !== 0x24),
    { minLength: 20, maxLength: 20 },
  )
  .map((codes) => Buffer.from(codes))

const digestA = fc.stringMatching(/^[./0-9A-Za-z]{42}[./0-9A-D]$/)
const digestB = fc.uint8Array({ minLength: 64, maxLength: 64 }).map((b) => Buffer.from(b).toString('base64'))
const thousands = fc.integer({ min: 5, max: 0xfff })

const storedParts = fc.oneof(
  fc.record({
    form: fc.constant('A' as const),
    rounds: thousands.map((n) => n * 1_000),
    salt: serverSalt,
    digest: digestA,
  }),
  fc.record({
    form: fc.constant('B' as const),
    rounds: thousands.map((n) => n * 1_000),
    salt: serverSalt,
    digest: digestB,
  }),
)

function bytesOfLength(length: number): Buffer {
  return Buffer.alloc(length, 'Passw0rd-')
}

describe('strings that other programs made', () => {
  test.each(stored)('$source: the password $password is verified, another is not', ({ password, bytes }) => {
    expect(verify(Buffer.from(password), bytes)).toBe(true)
    expect(verify(Buffer.from(`${password}x`), bytes)).toBe(false)
  })

  test.each(stored)('$source: the string for $password is read and written back unchanged', ({ bytes }) => {
    const parts = parse(bytes)
    expect(parts && serialise(parts)).toEqual(bytes)
  })

  test('rounds are hexadecimal thousands', () => {
    const rounds = stored.map(({ bytes }) => parse(bytes)?.rounds)
    expect(new Set(rounds)).toEqual(new Set([5_000, 9_000, 10_000, 16_000]))
  })
})

describe('hashing', () => {
  test('gives 70 bytes of printable ASCII in form A with 5,000 rounds, unless told otherwise', () => {
    const result = hash(Buffer.from('secret')).toString('latin1')
    expect(result).toMatch(/^\$A\$005\$[!-#%-~]{20}[./0-9A-Za-z]{43}$/)
  })

  test('gives 115 bytes in form B', () => {
    const result = hash(Buffer.from('secret'), { form: 'B', rounds: 10_000 })
    expect(result).toHaveLength(115)
    expect(result.toString('latin1')).toMatch(/^\$B\$00A\$/)
    expect(verify(Buffer.from('secret'), result)).toBe(true)
    expect(verify(Buffer.from('Secret'), result)).toBe(false)
  })

  test('takes a new salt every time', () => {
    const salts = Array.from({ length: 20 }, () => parse(hash(Buffer.from('secret')))?.salt.toString('hex'))
    expect(new Set(salts).size).toBe(20)
  })

  test.each([1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256])(
    'a password of %i bytes is verified, and one that differs in its last byte is not',
    (length) => {
      const password = bytesOfLength(length)
      const result = hash(password)
      expect(verify(password, result)).toBe(true)
      password[length - 1] = 0x7e
      expect(verify(password, result)).toBe(false)
    },
  )

  test('any password of 1 to 256 bytes, multibyte ones among them, is verified with any salt of a server', () => {
    const password = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 64 })
      .map((text) => Buffer.from(text))
      .filter((bytes) => bytes.length <= 256 && !bytes.includes(0))
    fc.assert(
      fc.property(password, serverSalt, fc.constantFrom('A' as const, 'B' as const), (secret, salt, form) => {
        const result = hash(secret, { salt, form })
        expect(parse(result)).toMatchObject({ form, rounds: 5_000, salt })
        expect(verify(secret, result)).toBe(true)
      }),
      { numRuns: 40 },
    )
  })

  test('the password is left as it was', () => {
    const password = Buffer.from('secret')
    hash(password)
    expect(password.toString()).toBe('secret')
  })

  test.each([
    ['no password', Buffer.alloc(0), {}],
    ['257 bytes', bytesOfLength(257), {}],
    ['a NUL', Buffer.from('canary\0'), {}],
    ['bytes that are not UTF-8', Buffer.from([0x63, 0xff]), {}],
    ['too few rounds', Buffer.from('canary'), { rounds: 4_000 }],
    ['too many rounds', Buffer.from('canary'), { rounds: 4_096_000 }],
    ['rounds that are no thousands', Buffer.from('canary'), { rounds: 5_001 }],
    ['no number of rounds', Buffer.from('canary'), { rounds: Number.NaN }],
    ['a short salt', Buffer.from('canary'), { salt: Buffer.alloc(19, 'a') }],
    ['a salt with a dollar', Buffer.from('canary'), { salt: Buffer.alloc(20, '$') }],
    ['a salt with a NUL', Buffer.from('canary'), { salt: Buffer.alloc(20) }],
  ])('%s is refused, and the error does not quote the password', (_, password, options) => {
    expect(() => hash(password, options)).toThrow(RangeError)
    expect(() => hash(password, options)).not.toThrow(/canary|Passw0rd/)
  })
})

describe('the independent oracle', () => {
  test('openssl passwd -5 comes to the same digest for random passwords and salts of up to 16 characters', () => {
    const alphabet = 'abcXYZ0189 !"#%&()*+,-./:;<=>?@[]^_{|}~äß€😀'
    const password = fc.string({
      unit: fc.constantFrom(...alphabet),
      minLength: 1,
      maxLength: 60,
    })
    const salt = fc.stringMatching(/^[./0-9A-Za-z]{1,16}$/)
    const cases = fc.sample(fc.tuple(password, salt), 40)
    for (const [secret, salted] of cases) {
      const { stdout, status } = spawnSync('openssl', ['passwd', '-5', '-stdin', '-salt', salted], {
        input: `${secret}\n`,
        encoding: 'utf8',
      })
      expect(status).toBe(0)
      expect(stdout.trim()).toBe(
        `$5$${salted}$${shaCrypt256(Buffer.from(secret), Buffer.from(salted), 5_000)}`,
      )
    }
  })

  test.each([6_000, 9_000, 10_000, 16_000])('openssl passwd -5 agrees on %i rounds', (rounds) => {
    const salt = `rounds=${rounds}$saltstring`
    const { stdout } = spawnSync('openssl', ['passwd', '-5', '-stdin', '-salt', salt], {
      input: 'Hello world!\n',
      encoding: 'utf8',
    })
    const digest = shaCrypt256(Buffer.from('Hello world!'), Buffer.from('saltstring'), rounds)
    expect(stdout.trim()).toBe(`$5$${salt}$${digest}`)
  })

  test.each([31, 32, 33, 63, 64, 65, 128, 255, 256])('openssl passwd -5 agrees on %i bytes', (length) => {
    const password = bytesOfLength(length)
    const { stdout } = spawnSync('openssl', ['passwd', '-5', '-stdin', '-salt', 'saltstring'], {
      input: `${password.toString()}\n`,
      encoding: 'utf8',
    })
    expect(stdout.trim()).toBe(`$5$saltstring$${shaCrypt256(password, Buffer.from('saltstring'), 5_000)}`)
  })
})

describe('reading a stored string', () => {
  test('is undone by writing it, whatever its parts', () => {
    fc.assert(
      fc.property(storedParts, (parts) => {
        expect(parse(serialise(parts))).toEqual(parts)
      }),
    )
  })

  test('accepts rounds in lower-case hex', () => {
    expect(parse(Buffer.from(example.toString().replace('005', '00a')))?.rounds).toBe(10_000)
  })

  test('refuses every other length', () => {
    for (let length = 0; length < example.length; length++)
      expect(parse(example.subarray(0, length))).toBeUndefined()
    expect(parse(Buffer.concat([example, Buffer.from('a')]))).toBeUndefined()
    expect(parse(Buffer.concat([example, Buffer.from('\n')]))).toBeUndefined()
  })

  test.each([
    ['another form', '$A$', '$C$'],
    ['form B with a digest of form A', '$A$', '$B$'],
    ['no rounds', '005', '000'],
    ['fewer rounds than MySQL allows', '005', '004'],
    ['rounds that are not hex', '005', '00G'],
    ['rounds with a sign', '005', '+05'],
    ['rounds with a space', '005', ' 05'],
    ['rounds with a prefix', '005', '0x5'],
    ['no dollar after the rounds', '005$', '005%'],
    ['a digest with a foreign character', 'kvpr', 'kv-r'],
    ['a digest of more than 256 bits', 'YgT8', 'YgTz'],
  ])('refuses %s', (_, part, instead) => {
    const changed = Buffer.from(example.toString().replace(part, instead.replaceAll('$', '$$$$')))
    expect(changed).not.toEqual(example)
    expect(parse(changed)).toBeUndefined()
    expect(verify(Buffer.from('test'), changed)).toBe(false)
  })

  test('refuses a digest of form B that is no whole base64 of 64 bytes', () => {
    const whole = hash(Buffer.from('test'), { form: 'B' }).toString('latin1')
    expect(parse(Buffer.from(whole))).toBeDefined()
    for (const end of ['B==', '=', 'A=', 'AA='])
      expect(parse(Buffer.from(whole.slice(0, -3) + end))).toBeUndefined()
  })

  test('no password of more than 256 bytes is verified, though the arithmetic would do', () => {
    const password = bytesOfLength(257)
    const parts = parse(example)
    if (parts === undefined) throw new Error('the example is not read')
    const digest = shaCrypt256(password, parts.salt, 5_000)
    expect(verify(password, serialise({ ...parts, digest }))).toBe(false)
  })

  test('never throws on other bytes, and no password belongs to them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 130 }), (bytes) => {
        expect(verify(Buffer.from('test'), Buffer.from(bytes))).toBe(false)
      }),
    )
  })

  test('no password belongs to the empty string of an account without one', () => {
    expect(verify(Buffer.alloc(0), Buffer.alloc(0))).toBe(false)
  })

  test('any single wrong byte of the digest is noticed', () => {
    const digestStart = 27
    for (let i = digestStart; i < example.length; i++) {
      const changed = Buffer.from(example)
      changed[i] = changed[i] === 0x2e ? 0x2f : 0x2e
      expect(verify(Buffer.from('test'), changed)).toBe(false)
    }
  })
})
