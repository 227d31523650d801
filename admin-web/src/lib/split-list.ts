/** Words separated by commas (also the Chinese one), semicolons or lines; none empty, none twice. */
export function splitList(text: string): string[] {
  const words = text.split(/[,，、;；\n]/).map((word) => word.trim());
  return [...new Set(words.filter(Boolean))];
}
