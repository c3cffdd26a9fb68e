/** What one worker answered to a scrape, in the text format of Prometheus. */
export interface WorkerMetrics {
  readonly worker: number;
  readonly text: string;
}

/** The lines of one metric, of all workers: a metric may stand in a text only once, with all its series. */
interface Metric {
  readonly comments: string[];
  readonly series: string[];
}

/**
 * The metrics of several workers as one text. Every series gets the label `worker`, so that none is
 * added to another one: whether a sum means anything is for the question to say.
 */
export function mergeMetrics(answers: readonly WorkerMetrics[]): string {
  const metrics = new Map<string, Metric>();
  for (const { worker, text } of answers) {
    let metric: Metric = { comments: [], series: [] };
    for (const line of text.split('\n')) {
      const [, name] = /^# (?:HELP|TYPE) (\S+)/.exec(line) ?? [];
      if (name !== undefined) {
        metric = metrics.get(name) ?? { comments: [], series: [] };
        metrics.set(name, metric);
        if (!metric.comments.includes(line)) metric.comments.push(line);
      } else if (line !== '' && !line.startsWith('#')) metric.series.push(withWorker(line, worker));
    }
  }
  const blocks = [...metrics.values()].map(({ comments, series }) => [...comments, ...series].join('\n'));
  return blocks.join('\n\n') + '\n';
}

/** `name{a="b"} 1` or `name 1`; a brace in a label's value comes after the first one. */
function withWorker(line: string, worker: number): string {
  const brace = line.indexOf('{');
  const space = line.indexOf(' ');
  if (brace === -1 || space < brace) return `${line.slice(0, space)}{worker="${worker}"}${line.slice(space)}`;
  const separator = line[brace + 1] === '}' ? '' : ',';
  return `${line.slice(0, brace + 1)}worker="${worker}"${separator}${line.slice(brace + 1)}`;
}
