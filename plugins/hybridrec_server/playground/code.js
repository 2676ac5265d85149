// A request as people type it elsewhere.

/** Return the command of curl for a request. */
export function curl(request, origin, keyed) {
  const lines = [`curl -s ${quoted(`${origin}/v1/recommend`)}`, "-H 'Content-Type: application/json'"];
  if (keyed) lines.push('-H "Authorization: Bearer $HYBRIDREC_KEY"');
  return [...lines, `-d ${quoted(JSON.stringify(request))}`].join(" \\\n  ");
}

/** Return the program with the typed client for a request. */
export function python(request, origin, keyed) {
  const fields = Object.entries(request).map(([name, value]) => `    ${literal(name)}: ${literal(value)},\n`);
  const key = keyed ? ', key=os.environ["HYBRIDREC_KEY"]' : "";
  return `${keyed ? "import os\n\n" : ""}from hybridrec_server.client import Client

request = {
${fields.join("")}}
with Client(${literal(origin)}${key}) as client:
    answer = client.recommend(request)
for place in answer.items:
    print(place.place, place.title, place.score)
`;
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Return a value of JSON as a literal of Python; strings of JSON are strings of Python. */
function literal(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object") {
    return `{${Object.entries(value).map(([name, below]) => `${literal(name)}: ${literal(below)}`).join(", ")}}`;
  }
  return JSON.stringify(value);
}
