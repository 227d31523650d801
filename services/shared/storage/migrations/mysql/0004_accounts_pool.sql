-- tags, priority and failures stand in 0001 here: SQLite was released without them, MySQL was not.
DO 0;
