// Check GLB files by Khronos' validator; ends with 1 if one has an error or a warning.
//
//     npm install gltf-validator
//     node benchmarks/validate_glb.js x.glb ...

const { readFileSync } = require("node:fs");
const validator = require(require.resolve("gltf-validator", { paths: [process.cwd()] }));

async function main(paths) {
  let wrong = 0;
  for (const path of paths) {
    const bytes = new Uint8Array(readFileSync(path));
    const { issues } = await validator.validateBytes(bytes);
    const { numErrors, numWarnings, numInfos, numHints } = issues;
    console.log(
      `${path}: ${bytes.length} bytes, ${numErrors} errors, ${numWarnings} warnings, ` +
        `${numInfos} infos, ${numHints} hints`,
    );
    for (const { code, message, pointer } of issues.messages) {
      console.log(`  ${code} at ${pointer}: ${message}`);
    }
    wrong += numErrors + numWarnings;
  }
  process.exitCode = wrong > 0 ? 1 : 0;
}

main(process.argv.slice(2));
