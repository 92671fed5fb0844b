/** The style of the house as a test: what can be checked by a machine is not discussed in reviews. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const COLUMNS_MAX = 120;
const FILE_LINES_MAX = 500;

/** Files that were longer when the rule came; a number here may only fall. */
const FILE_LINES_RATCHET: Readonly<Record<string, number>> = {
  // One reader's path from top to bottom; splitting it would hide the money's way.
  'contracts/settlement/Channels.sol': 530,
};

/** Addresses, hashes and literals that would not read better in pieces. */
const UNBREAKABLE =
  /^\s*\/.+\/[a-z]*[;,]?$|https?:|0x[0-9a-f]{40}|"[^"]{60,}"|'[^']{60,}'|`[^`]{60,}`/i;

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: ROOT,
  encoding: 'utf8',
  maxBuffer: 64 * 1024 * 1024,
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(ROOT, file)));

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const isGenerated = (file: string): boolean => file.includes('/generated/');
const isTest = (file: string): boolean => /\.(test|fuzz|e2e)\.tsx?$/.test(file);
const sources = files.filter((file) => /\.(ts|tsx|mjs|sol)$/.test(file) && !isGenerated(file));
const documents = files.filter((file) => file.endsWith('.md'));

describe('tidy', () => {
  it('saw the house at all', () => {
    expect(sources.length).toBeGreaterThan(100);
    expect(documents.length).toBeGreaterThan(5);
  });

  it(`lines have at most ${COLUMNS_MAX} columns`, () => {
    const long = sources
      .filter((file) => !file.includes('/assembly/'))
      .flatMap((file) =>
        read(file)
          .split('\n')
          .flatMap((line, index) =>
            line.length > COLUMNS_MAX && !UNBREAKABLE.test(line) ? [`${file}:${index + 1}`] : [],
          ),
      );
    expect(long).toEqual([]);
  });

  it(`files have at most ${FILE_LINES_MAX} lines, or what the ratchet says`, () => {
    const long = sources
      .filter((file) => !isTest(file) && !file.endsWith('.t.sol') && !file.includes('/testing/'))
      .map((file) => ({ file, lines: read(file).split('\n').length }))
      .filter(({ file, lines }) => lines > (FILE_LINES_RATCHET[file] ?? FILE_LINES_MAX));
    expect(long).toEqual([]);
  });

  it('modules begin by saying what they are', () => {
    const silent = sources.filter(
      (file) =>
        /^packages\/[a-z]+\/src\/.*\.ts$/.test(file) &&
        !isTest(file) &&
        !file.endsWith('/index.ts') &&
        !/^(\/\*\*|\/\/)/.test(read(file).trimStart()),
    );
    expect(silent).toEqual([]);
  });

  it('generated files say so', () => {
    const bare = files
      .filter(isGenerated)
      .filter((file) => !/generated/i.test(read(file).slice(0, 400)));
    expect(bare).toEqual([]);
  });

  it('vectors name their source', () => {
    const vectors = files.filter((file) => file.startsWith('vectors/') && file.endsWith('.json'));
    expect(vectors.length).toBeGreaterThan(0);
    const bare = vectors.filter(
      (file) => typeof (JSON.parse(read(file)) as { source?: unknown }).source !== 'string',
    );
    expect(bare).toEqual([]);
  });

  it('documents have one first heading and no dead link', () => {
    const wrong = documents.flatMap((file) => {
      const text = read(file).replace(/```[\s\S]*?```/g, '');
      const headings = text.split('\n').filter((line) => /^# /.test(line)).length;
      const links = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map((match) => match[1]!);
      const dead = links.filter(
        (link) => !/^[a-z]+:/.test(link) && !existsSync(join(ROOT, dirname(file), link)),
      );
      return [
        ...(headings === 1 ? [] : [`${file}: ${headings} first headings`]),
        ...dead.map((link) => `${file}: ${link}`),
      ];
    });
    expect(wrong).toEqual([]);
  });

  it('words that a room must not say are not said', () => {
    const rules: readonly { readonly where: RegExp; readonly word: RegExp }[] = [
      { where: /^packages\/engine\/src\//, word: /\b(Date\b|Math\.random|fetch\(|process\.)/ },
      {
        where: /^packages\/(protocol|compute|model)\/src\//,
        word: /\b(Date\.now|Math\.random|process\.|fetch\()/,
      },
      { where: /^packages\/[a-z]+\/src\//, word: /\bconsole\.(log|debug|info)\(/ },
      { where: /\.sol$/, word: /\btx\.origin\b|\bselfdestruct\b/ },
    ];
    const said = sources
      .filter((file) => !isTest(file) && !file.includes('/testing/'))
      .flatMap((file) => {
        const code = read(file).replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
        return rules
          .filter(({ where, word }) => where.test(file) && word.test(code))
          .map(({ word }) => `${file}: ${word}`);
      });
    expect(said).toEqual([]);
  });

  it('no path of a machine is written down', () => {
    const said = files
      .filter(
        (file) => /\.(ts|tsx|mjs|sol|md|json|sh|yml)$/.test(file) && file !== 'package-lock.json',
      )
      .filter((file) => /(^|[\s"'`(=])\/(work|farm|root|home\/\w+)\//.test(read(file)));
    expect(said).toEqual([]);
  });
});

type Room = {
  readonly name: string;
  readonly rooms: readonly string[];
  readonly external: readonly string[];
};

/** The table under "Who may import whom". */
function readTable(): readonly Room[] {
  const section = read('ARCHITECTURE.md').split('## Who may import whom')[1]!.split('\n## ')[0]!;
  const cells = (row: string): string[] =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
  const list = (cell: string): string[] =>
    cell === 'nothing' || cell === 'none' ? [] : cell.split(', ');
  return section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map(cells)
    .map(([name, , , rooms, external]) => ({
      name: name!,
      rooms: list(rooms!),
      external: list(external!),
    }));
}

const folderOf = (room: string): string =>
  existsSync(join(ROOT, 'packages', room)) ? `packages/${room}` : room;

describe('the import table', () => {
  const table = readTable();

  it('has a row for every workspace', () => {
    const workspaces = (JSON.parse(read('package.json')) as { workspaces: string[] }).workspaces;
    expect(table.map(({ name }) => folderOf(name)).sort()).toEqual([...workspaces].sort());
  });

  it.each(table)('$name: the manifest says the same', ({ name, rooms, external }) => {
    const manifest = JSON.parse(read(`${folderOf(name)}/package.json`)) as {
      dependencies?: Record<string, string>;
      optionalDependencies?: Record<string, string>;
    };
    const expected = [...rooms.map((room) => `@assay/${room}`), ...external].sort();
    const { dependencies, optionalDependencies } = manifest;
    expect(Object.keys({ ...dependencies, ...optionalDependencies }).sort()).toEqual(expected);
  });

  it.each(table)('$name: imports keep to it', ({ name, rooms, external }) => {
    const own = sources.filter(
      (file) =>
        file.startsWith(`${folderOf(name)}/`) && !isTest(file) && !/\/(test|dev)\//.test(file),
    );
    expect(own.length).toBeGreaterThan(0);
    const allowed = new Set([...rooms.map((room) => `@assay/${room}`), ...external]);
    const foreign = own.flatMap((file) =>
      [...read(file).matchAll(/^\s*(?:import|export)\b[^'"]*?from '([^']+)'|import\('([^']+)'\)/gm)]
        .map((match) => (match[1] ?? match[2])!)
        .filter((from) => !from.startsWith('.') && !from.startsWith('node:'))
        .map((from) =>
          from
            .split('/')
            .slice(0, from.startsWith('@') ? 2 : 1)
            .join('/'),
        )
        .filter((from) => !allowed.has(from) && !isBuildTool(name, from))
        .map((from) => `${file}: ${from}`),
    );
    expect(foreign).toEqual([]);
  });
});

/** Build-time packages of the root that only configuration and generators import. */
const isBuildTool = (room: string, from: string): boolean =>
  (room === 'console' && ['vite', '@vitejs/plugin-react'].includes(from)) ||
  (room === 'tools' &&
    ['assemblyscript', 'solc', 'playwright-core', 'openai', 'vitest', 'fast-check'].includes(
      from,
    )) ||
  (room === 'engine' && from === 'assemblyscript');
