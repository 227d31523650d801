import { Fragment } from "react";

/** The name of an error, which breaks where its words do: `model_not_found`. */
export const CodeName = ({ children }: { children: string }) =>
  children.split(/(?<=_)/).map((word, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: the words of one name stay in their order
    <Fragment key={index}>
      {word}
      <wbr />
    </Fragment>
  ));
