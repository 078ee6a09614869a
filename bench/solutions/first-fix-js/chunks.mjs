/** The values in groups of `size`, in their order; the last group may be smaller. */
export function chunks(values, size) {
  const groups = [];
  for (let start = 0; start < values.length; start += size) {
    groups.push(values.slice(start, start + size));
  }
  return groups;
}
