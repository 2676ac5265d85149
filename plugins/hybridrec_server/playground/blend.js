// The arithmetic of a blend: the same sum as the server's, over the candidates that it explained.

/** Return the candidates' contributions and sums under weights, in the order of the candidates. */
export function sums(candidates, weights) {
  const labels = Object.keys(candidates.columns);
  return candidates.ids.map((id, index) => {
    const contributions = labels
      .map((label) => ({ label, value: (weights[label] ?? 0) * (candidates.columns[label][index] ?? 0) }))
      .filter(({ value }) => value !== 0);
    const score = contributions.reduce((sum, { value }) => sum + value, 0);
    return { id, title: candidates.titles[index], score, sources: candidates.sources?.[index] ?? [], contributions };
  });
}

/** Return the summands of a place as the server gave them; the score of a single model is its own only summand. */
function summands({ contributions, score, sources }, { columns }) {
  const labels = Object.keys(columns).length ? Object.keys(columns) : (sources ?? []);
  const alone = !contributions?.length && labels.length === 1 && score !== null;
  return alone ? [{ label: labels[0], value: score }] : (contributions ?? []).filter(({ value }) => value !== 0);
}

/**
 * Return the places of a slate. Without weights they are the server's; with weights the candidates are ranked anew,
 * equal sums in the server's order, and ids of the fallback fill what stays short.
 */
export function places(answer, weights = null) {
  const shown = answer.items.map((place) => ({
    ...place,
    sources: place.sources ?? [],
    contributions: summands(place, answer.candidates),
  }));
  if (weights === null) return shown;
  const ranked = sums(answer.candidates, { ...answer.candidates.weights, ...weights })
    .map((candidate, index) => ({ candidate, index }))
    .sort((one, other) => other.candidate.score - one.candidate.score || one.index - other.index)
    .map(({ candidate }) => candidate);
  const among = new Set(answer.candidates.ids);
  const rest = shown.filter(({ id }) => !among.has(id));
  return [...ranked, ...rest].slice(0, shown.length).map((place, index) => ({ ...place, place: index + 1 }));
}

/**
 * Return id -> number of places by which it stands higher than in the other slate (negative: lower), or null if it
 * is only here.
 */
export function differences(here, there) {
  const other = new Map(there.map(({ id }, index) => [id, index]));
  return new Map(here.map(({ id }, index) => [id, other.has(id) ? other.get(id) - index : null]));
}

/** Return the places that came into a slate, those that left it, and the number of those that moved. */
export function changes(before, after) {
  const [old, now] = [new Set(before.map(({ id }) => id)), new Set(after.map(({ id }) => id))];
  const moved = [...differences(after, before).values()].filter((by) => by).length;
  return { came: after.filter(({ id }) => !old.has(id)), left: before.filter(({ id }) => !now.has(id)), moved };
}

/** Return the extent of the bars of a slate: the largest sums of what lifts and of what lowers an id. */
export function extent(slate) {
  const side = (sign) =>
    Math.max(0, ...slate.map(({ contributions }) =>
      contributions.reduce((sum, { value }) => sum + Math.max(0, sign * value), 0)));
  return { above: side(1), below: side(-1) };
}
