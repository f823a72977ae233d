// A title as a person writes it: "Shawshank Redemption, The (1994)" is The Shawshank Redemption, of 1994.

const ARTICLE = /^(.*), (The|A|An|El|La|Los|Las|Lo|Un|Una|Le|Les|L'|Une|Der|Die|Das|Il|I|Gli|O|Os|As|Det|Den|De|Het)$/i;

const turned = (name) => {
  const found = ARTICLE.exec(name.trim());
  return found ? found[2] + (found[2].endsWith("'") ? "" : " ") + found[1] : name.trim();
};

/** {name, also, year} of an item. */
export function shown(item) {
  const title = String(item.title ?? item.id);
  const dated = /^(.*\S)\s*\((\d{4})\)\s*$/.exec(title);
  const rest = dated ? dated[1] : title;
  const year = item.year ?? (dated ? Number(dated[2]) : null);
  const other = /^(\S.*?)\s*\(([^()]+)\)$/.exec(rest);
  return { name: turned(other ? other[1] : rest), also: other ? turned(other[2].replace(/^a\.?k\.?a\.?\s+/i, "")) : "", year };
}

/** The same in one line. */
export const plain = (item) => shown(item).name;
