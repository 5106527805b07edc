// sbom.mjs STATUS PACKAGES FOLDER
// Writes what the image contains as mathesar-one.spdx.json and mathesar-one.cdx.json into FOLDER: the
// packages of Debian (STATUS is dpkg's list), those of Python, those of npm that are in our bundle (PACKAGES
// is the list of build.mjs), and what comes without a package manager. It runs in the image, which it asks.
// The same image gives the same bytes: the time is SOURCE_DATE_EPOCH, and the ids are hashes of the contents.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'

const [status, bundled, folder] = process.argv.slice(2)
const name = 'mathesar-one'
const { version } = readJson('/usr/local/lib/supervisor/package.json')
const created = `${new Date(Number(process.env.SOURCE_DATE_EPOCH) * 1000).toISOString().slice(0, 19)}Z`

function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'))
}

/** A package URL, by which scanners look a package up. */
function purlOf(type, path, version, qualifiers = {}) {
  const query = Object.entries(qualifiers).map(([key, value]) => `${key}=${encodeURIComponent(value)}`)
  const where = path.split('/').map(encodeURIComponent).join('/')
  const end = query.length > 0 ? `?${query.join('&')}` : ''
  return `pkg:${type}/${where}@${encodeURIComponent(version)}${end}`
}

function listDebian() {
  const release = /^VERSION_ID="?([^"\n]+)/m.exec(readFileSync('/etc/os-release', 'utf8'))[1]
  const entries = readFileSync(status, 'utf8').split(/\n\n+/)
  const packages = entries.filter((entry) => entry.startsWith('Package: '))
  return packages.map((entry) => {
    const field = (key) => new RegExp(`^${key}: (.*)$`, 'm').exec(entry)?.[1]
    const [name, version, arch] = [field('Package'), field('Version'), field('Architecture')]
    // Debian's advisories name source packages. `Source: glibc (2.41-12)` has a version where it is another.
    const [, source, of] = /^(\S+)(?: \((.*)\))?$/.exec(field('Source') ?? name)
    const upstream = of === undefined ? source : `${source}@${of}`
    const distro = `debian-${release}`
    return { name, version, purl: purlOf('deb', `debian/${name}`, version, { arch, distro, upstream }) }
  })
}

// The old field License is free text, at times all of a license.
const askPython = `
import importlib.metadata, json, platform
print(json.dumps({"version": platform.python_version(), "packages": [
    {"name": found.metadata["Name"], "version": found.version,
     "license": found.metadata.get("License-Expression")}
    for found in importlib.metadata.distributions()]}))`

function listPython() {
  const { version, packages } = JSON.parse(execFileSync('python3', ['-c', askPython], { encoding: 'utf8' }))
  const cpe = `cpe:2.3:a:python:python:${version}:*:*:*:*:*:*:*`
  return [
    { name: 'python', version, license: 'PSF-2.0', purl: purlOf('generic', 'python', version), cpe },
    ...packages.map((found) => {
      const normal = found.name.toLowerCase().replace(/[-_.]+/g, '-')
      return { ...found, purl: purlOf('pypi', normal, found.version) }
    }),
  ]
}

function listSupervisor() {
  const node = process.versions.node
  const cpe = `cpe:2.3:a:nodejs:node.js:${node}:*:*:*:*:*:*:*`
  return [
    { name: 'node', version: node, license: 'MIT', purl: purlOf('generic', 'node', node), cpe },
    ...readJson(bundled).map((found) => ({ ...found, purl: purlOf('npm', found.name, found.version) })),
  ]
}

function listMathesar() {
  const text = readFileSync('/code/mathesar/__init__.py', 'utf8')
  const version = /^__version__ = ["']([^"'\n]+)["']/m.exec(text)?.[1] ?? 'unknown'
  const purl = purlOf('github', 'mathesar-foundation/mathesar', version)
  return [{ name: 'mathesar', version, license: 'GPL-3.0-only', purl }]
}

const packages = [...listMathesar(), ...listSupervisor(), ...listPython(), ...listDebian()]
  .filter(({ purl }, at, all) => all.findIndex((other) => other.purl === purl) === at)
  .sort((one, other) => (one.purl < other.purl ? -1 : 1))
const hash = createHash('sha256')
  .update(JSON.stringify([version, created, packages]))
  .digest('hex')
const uuid = hash.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-5$3-8$4-$5')
const root = { name, version, license: 'GPL-3.0-only' }
const tool = { name: 'mathesar-supervisor', version }

const toComponent = ({ name, version, license, purl, cpe }) => ({
  type: 'library',
  'bom-ref': purl,
  name,
  version,
  ...(license ? { licenses: [{ expression: license }] } : {}),
  ...(cpe ? { cpe } : {}),
  purl,
})
const cyclonedx = {
  $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  serialNumber: `urn:uuid:${uuid}`,
  version: 1,
  metadata: {
    timestamp: created,
    tools: { components: [{ type: 'application', ...tool }] },
    component: { type: 'container', 'bom-ref': name, name, version },
  },
  components: packages.map(toComponent),
  dependencies: [{ ref: name, dependsOn: packages.map(({ purl }) => purl) }],
}

const toPackage = ({ name, version, license = 'NOASSERTION', purl, cpe }, number) => ({
  SPDXID: `SPDXRef-${number}`,
  name,
  versionInfo: version,
  downloadLocation: 'NOASSERTION',
  filesAnalyzed: false,
  licenseConcluded: 'NOASSERTION',
  licenseDeclared: license ?? 'NOASSERTION',
  copyrightText: 'NOASSERTION',
  externalRefs: [
    ...(purl
      ? [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl }]
      : []),
    ...(cpe ? [{ referenceCategory: 'SECURITY', referenceType: 'cpe23Type', referenceLocator: cpe }] : []),
  ],
})
const spdx = {
  spdxVersion: 'SPDX-2.3',
  dataLicense: 'CC0-1.0',
  SPDXID: 'SPDXRef-DOCUMENT',
  name,
  documentNamespace: `https://spdx.org/spdxdocs/${name}-${uuid}`,
  creationInfo: { created, creators: [`Tool: ${tool.name}-${tool.version}`] },
  packages: [root, ...packages].map(toPackage),
  relationships: [
    { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: 'SPDXRef-0' },
    ...packages.map((_, at) => ({
      spdxElementId: 'SPDXRef-0',
      relationshipType: 'CONTAINS',
      relatedSpdxElement: `SPDXRef-${at + 1}`,
    })),
  ],
}

mkdirSync(folder, { recursive: true })
writeFileSync(`${folder}/${name}.cdx.json`, `${JSON.stringify(cyclonedx, null, 1)}\n`)
writeFileSync(`${folder}/${name}.spdx.json`, `${JSON.stringify(spdx, null, 1)}\n`)
