// dist/main.cjs: runs supervisor.cjs with what V8 compiled of it when the image was made: 10 of 60 ms of its
// start. Node's own compile cache holds only what is compiled when a module is loaded,
// not what is called later.
const { readFileSync, writeFileSync } = require('node:fs')
const { Script } = require('node:vm')

// malloc has read it, and it is not meant for children.
if (process.env.MALLOC_MMAP_THRESHOLD_ === '131072') delete process.env.MALLOC_MMAP_THRESHOLD_

const filename = `${__dirname}/supervisor.cjs`
const cache = `${filename}.cache`

const read = () => {
  try {
    return readFileSync(cache)
  } catch {
    return undefined // It works without, and V8 itself refuses one of another V8.
  }
}

const script = new Script(`(function (require) {${readFileSync(filename, 'utf8')}\n})`, {
  filename,
  cachedData: read(),
})
if (process.argv[2] === 'bake') {
  const { setFlagsFromString } = require('node:v8')
  setFlagsFromString('--no-flush-bytecode') // It would forget what is not called again.
  process.on('exit', () => {
    setFlagsFromString('--flush-bytecode') // V8 takes a cache only with the flags of its making.
    writeFileSync(cache, script.createCachedData())
  })
}
script.runInThisContext()(require)
