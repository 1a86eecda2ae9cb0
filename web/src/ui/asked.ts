/** Settings for trying things out, from the address: `?tile=64&threads=1`. */
export function tried(): { tile?: number; threads?: number } {
  const asked = new URLSearchParams(location.search);
  const found: { tile?: number; threads?: number } = {};
  for (const name of ["tile", "threads"] as const) {
    const value = Number(asked.get(name));
    if (Number.isInteger(value) && value > 0) found[name] = value;
  }
  return found;
}
